# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images of every format: told apart, measured, and read through an overlay unchanged."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tests.v2v.disks.making import MIB, SIZE, content, digest, inspected, made, raw, shown
from v2v.disks.image import inspect_image
from v2v.errors import SourceError
from v2v.model import Disk, DiskFormat
from v2v.run import run

FORMATS = [
    ("qcow2", ()),
    ("qcow2", ("compat=0.10",)),
    ("qcow2", ("cluster_size=512",)),
    ("qcow2", ("cluster_size=2M",)),
    ("qcow2", ("extended_l2=on",)),
    ("qcow2", ("compression_type=zstd",)),
    ("qcow2", ("preallocation=metadata",)),
    ("qcow2", ("preallocation=full",)),
    ("qcow2", ("refcount_bits=1",)),
    ("qcow2", ("refcount_bits=64",)),
    ("qcow", ()),
    ("qed", ()),
    ("vmdk", ()),
    ("vmdk", ("subformat=monolithicFlat",)),
    ("vmdk", ("subformat=twoGbMaxExtentSparse",)),
    ("vmdk", ("subformat=twoGbMaxExtentFlat",)),
    ("vmdk", ("subformat=streamOptimized",)),
    ("vpc", ()),
    ("vpc", ("force_size=on",)),
    ("vpc", ("subformat=fixed",)),
    ("vpc", ("subformat=fixed", "force_size=on")),
    ("vhdx", ()),
    ("vhdx", ("subformat=fixed",)),
    ("vdi", ()),
    ("vdi", ("static=on",)),
    ("parallels", ()),
]
IDS = ["-".join((format, *options)) for format, options in FORMATS]


@pytest.mark.parametrize(("format", "options"), FORMATS, ids=IDS)
@pytest.mark.parametrize("named", [False, True], ids=["detected", "named"])
def test_every_format_is_told_and_read_without_a_write(
    tmp_path: Path, format: str, options: tuple[str, ...], named: bool
) -> None:
    path = made(tmp_path / "disk", format, *options)
    before = {file: digest(file) for file in tmp_path.iterdir()}

    image = inspected(path, DiskFormat(format) if named else None)

    assert image.format == format
    said = json.loads(run("qemu-img", "info", "--output=json", "-f", format, path))
    assert image.virtual_bytes == said["virtual-size"]
    assert shown(image, tmp_path)[:SIZE] == content()
    assert {file: digest(file) for file in before} == before


def test_a_raw_image_is_what_has_no_magic(tmp_path: Path) -> None:
    image = inspected(raw(tmp_path / "disk.img"))
    assert (image.format, image.virtual_bytes) == (DiskFormat.raw, SIZE)
    assert shown(image, tmp_path) == content()


def test_a_raw_image_counts_in_whole_sectors(tmp_path: Path) -> None:
    assert inspected(raw(tmp_path / "disk.img", b"x" * 1000)).virtual_bytes == 1024


def test_a_sparse_image_takes_what_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
        file.write(b"x" * MIB)
    assert MIB <= inspected(path).allocated_bytes < 2 * MIB


def test_an_image_that_is_raw_by_configuration_is_never_probed(tmp_path: Path) -> None:
    """What a guest writes into its first sector must not make its disk another disk."""
    secret = raw(tmp_path / "secret", b"secret" * 1000)
    path = tmp_path / "disk.img"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", path)
    written = path.read_bytes()

    image = inspected(path, DiskFormat.raw)

    assert image.format is DiskFormat.raw
    assert shown(image, tmp_path)[: len(written)] == written


def test_a_format_that_the_content_denies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is said to be qcow2, but its content is raw") as error:
        inspected(raw(tmp_path / "disk"), DiskFormat.qcow2)
    assert error.value.finding.code == "E-DISK-FORMAT"
    with pytest.raises(SourceError, match="is said to be vmdk, but its content is qcow2"):
        inspected(made(tmp_path / "other", "qcow2"), DiskFormat.vmdk)
    with pytest.raises(SourceError, match="holds neither a VMDK header nor a VMDK descriptor"):
        inspected(raw(tmp_path / "disk"), DiskFormat.vmdk)
    with pytest.raises(SourceError, match="is no VHD: it has no footer"):
        inspected(raw(tmp_path / "disk"), DiskFormat.vpc)


def test_a_disk_that_ends_in_a_false_vhd_footer_stays_raw(tmp_path: Path) -> None:
    footer = b"conectix" + bytes(504)
    assert inspected(raw(tmp_path / "disk", content() + footer)).format is DiskFormat.raw


@pytest.mark.parametrize(
    "name",
    ["with space.img", "a,b.img", "a:b.img", "json:{}", "-disk", "gast-ä.img", "a\nb", "%s", "'\""],
)
@pytest.mark.parametrize("format", ["raw", "qcow2", "vmdk"])
def test_odd_names_are_only_names(tmp_path: Path, name: str, format: str) -> None:
    path = made(tmp_path / "plain", format).rename(tmp_path / name)
    assert shown(inspected(path), tmp_path) == content()


def test_a_name_that_is_not_utf8_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    path = raw(tmp_path / os.fsdecode(b"a\xff"))
    with pytest.raises(SourceError, match="no file names that are not UTF-8") as error:
        shown(inspected(path), tmp_path)
    assert error.value.finding.code == "E-IMAGE-NAME"


def test_a_path_that_no_overlay_can_hold_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["d" * 200] * 5)
    folder.mkdir(parents=True)
    with pytest.raises(SourceError, match="too long for QEMU") as error:
        shown(inspected(raw(folder / "disk")), tmp_path)
    assert error.value.finding.code == "E-IMAGE-NAME"


def test_the_source_may_be_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "guest").mkdir()
    link = tmp_path / "guest" / "disk"
    link.symlink_to(raw(tmp_path / "store" / "disk.img"))
    assert shown(inspected(link), tmp_path) == content()


def test_a_relative_path_is_looked_for_in_the_guests_folder(tmp_path: Path) -> None:
    raw(tmp_path / "disk.img")
    image = inspect_image(Disk("disk.img", None), tmp_path, trust=False)
    assert image.path == tmp_path / "disk.img"


def test_a_block_device_is_a_disk(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root for a loop device")
    device = run("losetup", "-f", "--show", "-r", raw(tmp_path / "disk")).strip()
    try:
        image = inspected(Path(device))
        assert image.virtual_bytes == SIZE
        assert shown(image, tmp_path) == content()
    finally:
        run("losetup", "-d", device)


def test_a_missing_image_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "disk", tmp_path / "no" / "disk", raw(tmp_path / "file") / "disk"):
        with pytest.raises(SourceError, match="no such disk image") as error:
            inspected(path)
        assert error.value.finding.code == "E-DISK-MISSING"
    with pytest.raises(SourceError, match="not a file name"):
        inspected(tmp_path / "a\0b")


def test_an_image_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(SourceError, match="symbolic links") as error:
        inspected(loop)
    assert error.value.finding.code == "E-DISK-UNREADABLE"
    if os.geteuid() != 0:
        shut = raw(tmp_path / "shut")
        shut.chmod(0)
        with pytest.raises(SourceError, match="Permission denied"):
            inspected(shut)


def test_what_is_no_file_is_an_error_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path, kind in (
            (tmp_path, "a directory"),
            (tmp_path / "pipe", "a named pipe"),
            (tmp_path / "socket", "a socket"),
            (Path("/dev/zero"), "a character device"),
        ):
            with pytest.raises(SourceError, match=f"is {kind}, not a disk image") as error:
                inspected(path)
            assert error.value.finding.code == "E-DISK-KIND"


def test_an_empty_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the image is empty"):
        inspected(raw(tmp_path / "disk", b""))
