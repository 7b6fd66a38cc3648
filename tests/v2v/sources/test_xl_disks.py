# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disk specifications of xl-disk-configuration(5) and of xend."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.errors import SourceError
from v2v.model import DiskFormat
from v2v.sources import xl_disks
from v2v.sources.xl_disks import XlDisk


def disk(spec: str) -> XlDisk:
    return xl_disks.parse(spec, "web.cfg: disk 0")


@pytest.mark.parametrize(
    "spec",
    [
        "/dev/vg/web,,hda",
        "/dev/vg/web,raw,hda,rw",
        "format=raw, vdev=hda, access=rw, target=/dev/vg/web",
        "raw:/dev/vg/web,hda,w",
        "vdev=hda,/dev/vg/web",
        "phy:vg/web,hda,w",
        "phy:/dev/vg/web,/dev/hda,w",
        "phy:/dev/vg/web,ioemu:hda,w",
        "tap:aio:/dev/vg/web,hda:disk,w!",
        "tap2:tapdisk:aio:/dev/vg/web,hda,rw",
        "file:/dev/vg/web,hda,",
        "backendtype=phy,vdev=hda,format=,target=vg/web",
        "vdev=hda,discard,direct-io-safe,backendtype=qdisk,target=/dev/vg/web,",
        "  /dev/vg/web , raw , hda , rw",
    ],
)
def test_one_disk_can_be_written_in_many_ways(spec: str) -> None:
    """Most of these are the examples of xl-disk-configuration(5)."""
    assert disk(spec) == XlDisk(
        target="/dev/vg/web",
        format=DiskFormat.raw,
        vdev="hda",
        cdrom=False,
        read_only=False,
        backend=None,
        script=None,
        virtio=False,
    )


@pytest.mark.parametrize(
    "spec",
    [
        "/root/image.iso,,hdc,cdrom",
        "/root/image.iso,,hdc,,cdrom",
        "/root/image.iso,raw,hdc,devtype=cdrom",
        "format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/root/image.iso",
        "raw:/root/image.iso,hdc:cdrom,ro",
        ",hdc:cdrom,r",
        "vdev=hdc,devtype=cdrom,format=empty",
    ],
)
def test_a_cdrom_drive_can_be_written_in_many_ways(spec: str) -> None:
    found = disk(spec)
    assert (found.vdev, found.cdrom) == ("hdc", True)


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        ("vdev=xvda,target=/srv/a,b:c=d.img", "/srv/a,b:c=d.img"),
        ("img.raw,raw,xvda", "img.raw"),
        ("phy:mapper/x,xvda,w", "/dev/mapper/x"),
        ("/srv/a b.img,raw,xvda", "/srv/a b.img"),
    ],
)
def test_targets_are_taken_whole(spec: str, target: str) -> None:
    assert disk(spec).target == target


@pytest.mark.parametrize(
    ("spec", "image_format"),
    [
        ("/x,qcow2,xvda", DiskFormat.qcow2),
        ("tap:qcow:/x,xvda,w", DiskFormat.qcow),
        ("tap2:vhd:/x,xvda,w", DiskFormat.vpc),
        ("format=vhd,vdev=xvda,target=/x", DiskFormat.vpc),
        ("/x,qed,xvda", DiskFormat.qed),
    ],
)
def test_formats_have_the_names_of_qemu(spec: str, image_format: DiskFormat) -> None:
    assert disk(spec).format == image_format


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "no vdev is given"),
        ("/x", "no vdev is given"),
        ("/x,raw", "no vdev is given"),
        ("/x,raw,vda", "'vda' is not a virtual device"),
        (",raw,xvda", "xvda: no target is given"),
        ("vdev=xvda,format=empty,target=/x", "xvda: no target is given"),
        ("/x,vmdk,xvda", "unknown format 'vmdk'"),
        ("/x,raw,xvda,maybe", "unknown access 'maybe'"),
        ("/x,raw,xvda,devtype=floppy", "unknown devtype 'floppy'"),
        ("/x,raw,xvda,rw,more", "'more' is one parameter too many"),
        ("/x,raw,xvda,vdev=xvdb", "vdev is given twice"),
        ("/x,raw,xvda,colour=red", "unknown parameter 'colour'"),
        ("foo:/x,xvda,w", "unknown prefix 'foo'"),
    ],
)
def test_wrong_disk_specifications_are_refused(spec: str, message: str) -> None:
    with pytest.raises(SourceError, match=f"disk 0: {message}") as caught:
        disk(spec)
    assert caught.value.finding.code == "E-XL-DISK"


@given(st.text(alphabet="abdhrvwx0,:=/ \tphycdromtarget", max_size=80))
def test_any_disk_specification_is_a_disk_or_refused(spec: str) -> None:
    assert _refusal(spec) in ("none", "E-XL-DISK")


def _refusal(spec: str) -> str:
    try:
        disk(spec)
    except SourceError as error:
        return error.finding.code
    return "none"
