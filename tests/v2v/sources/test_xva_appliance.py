# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports of XenServer before 4.0: a tar or a folder of gzips."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.xva import MIB, pack
from v2v.disks.opening import open_image
from v2v.errors import SourceError
from v2v.model import BootMethod, Bus, DiskFormat, Firmware, Machine
from v2v.options import Options
from v2v.pipeline import convert, plan
from v2v.sources import kind_of, read

# As XenServer's manual and the tools of its day write it.
OVA_XML = """\
<?xml version="1.0" ?>
<appliance version="0.1">
    <vm name="vm">
        <label> Web server </label>
        <shortdesc>Created by hand</shortdesc>
        <config mem_set="268435456" vcpus="2"/>
        <hacks is_hvm="false" kernel_boot_cmdline="root=/dev/xvda1 ro ">
        </hacks>
        <vbd device="xvdb" function="data" mode="w" vdi="vdi_xvdb" />
        <vbd device="xvda" function="root" mode="w" vdi="vdi_xvda" />
    </vm>
    <vdi name="vdi_xvda" size="{size}" source="file://xvda" type="dir-gzipped-chunks"
      variety="system" />
    <vdi name="vdi_xvdb" size="1048576" source="file://xvdb" type="dir-gzipped-chunks"
      variety="user" />
</appliance>
"""
CONTENT = os.urandom(MIB) + bytes(8 * MIB) + os.urandom(MIB // 2)
Members = dict[str, bytes]
Form = Callable[[Path, Members], Path]


def members() -> Members:
    cut = len(CONTENT) - 1000
    return {
        "ova.xml": OVA_XML.format(size=len(CONTENT)).encode(),
        "xvda/chunk-000000000.gz": gzip.compress(CONTENT[:cut]),
        "xvda/chunk-000000001.gz": gzip.compress(CONTENT[cut:]),
        "xvdb/chunk-000000000.gz": gzip.compress(bytes(MIB)),
    }


def as_tar(tmp_path: Path, found: Members) -> Path:
    return pack(tmp_path / "old.xva", found.items())


def as_folder(tmp_path: Path, found: Members) -> Path:
    folder = tmp_path / "old"
    for name, data in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def content(machine: Machine, number: int = 0) -> bytes:
    with open_image(machine.disks[number], machine.folder, trust=False) as image:
        assert image.format is DiskFormat.raw
        assert image.path.stat().st_blocks * 512 < 4 * MIB
        return image.path.read_bytes()


@pytest.mark.parametrize("form", [as_tar, as_folder])
def test_a_guest_and_its_disks(tmp_path: Path, form: Form) -> None:
    source = form(tmp_path, members())
    assert kind_of(source).name == "xva"
    found = read([source])
    assert (found.name, found.memory_bytes, found.vcpus) == ("Web server", 256 * MIB, 2)
    assert found.boot is not None
    assert (found.boot.method, found.boot.cmdline) == (BootMethod.pygrub, "root=/dev/xvda1 ro")
    assert [(disk.device, disk.controller, disk.virtual_bytes) for disk in found.disks] == [
        ("xvda", Bus.xen, len(CONTENT)), ("xvdb", Bus.xen, MIB)
    ]  # fmt: skip
    assert [nic.network.name for nic in found.nics] == ["default"]
    codes = [warning.code for warning in found.warnings]
    assert codes == ["W-XVA-NIC", "W-OVF-COPY", "W-OVF-COPY"]
    assert content(found) == CONTENT
    assert content(found, 1) == bytes(MIB)


def test_a_guest_with_firmware(tmp_path: Path) -> None:
    text = members() | {"ova.xml": OVA_XML.replace("false", "true").format(size=1).encode()}
    found = read([as_folder(tmp_path, text)])
    assert found.firmware is Firmware.bios
    assert found.boot is not None
    assert found.boot.method is BootMethod.hvm


def changed(old: str, new: str) -> Members:
    text = OVA_XML.format(size=len(CONTENT))
    assert old in text
    return {"ova.xml": text.replace(old, new).encode()}


@pytest.mark.parametrize("form", [as_tar, as_folder])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (changed("file://xvda", "file://../xvda"), "E-OVF-ESCAPES"),
        (changed("file://xvda", "file:///etc"), "E-OVF-ESCAPES"),
        (changed("file://xvda", "http://host/xvda"), "E-XVA-VERSION"),
        (changed("dir-gzipped-chunks", "raw"), "E-XVA-VERSION"),
        (changed('version="0.1"', 'version="0.2"'), "E-XVA-VERSION"),
        (changed('vdi="vdi_xvda"', 'vdi="other"'), "E-XVA-XML"),
        (changed("268435456", "much"), "E-XVA-XML"),
        (changed("<vm ", "<other "), "E-XML-SYNTAX"),
        ({"xvda/chunk-000000003.gz": gzip.compress(b"far")}, "E-XVA-DAMAGED"),
    ],
)
def test_what_is_wrong_with_an_export_is_told(
    tmp_path: Path, form: Form, change: Members, code: str
) -> None:
    with pytest.raises(SourceError) as failed:
        read([form(tmp_path, members() | change)])
    assert failed.value.finding.code == code


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"xvda/chunk-000000001.gz": gzip.compress(b"short")}, "bytes of a disk of"),
        ({"xvda/chunk-000000001.gz": gzip.compress(bytes(1001))}, "bytes of a disk of"),
        ({"xvda/chunk-000000001.gz": gzip.compress(CONTENT)[:-100]}, "ends too early"),
        ({"xvda/chunk-000000001.gz": b"no gzip"}, "incorrect header"),
        ({"xvda/chunk-000000001.gz": gzip.compress(bytes(1 << 30))}, "more than its disk can take"),
    ],
)
def test_a_disk_that_is_damaged_is_not_read(tmp_path: Path, change: Members, said: str) -> None:
    machine = read([as_tar(tmp_path, members() | change)])
    with pytest.raises(SourceError, match=said):
        content(machine)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, members())
    chunk = folder / "xvda/chunk-000000001.gz"
    chunk.unlink()
    chunk.symlink_to("/etc/passwd")
    with pytest.raises(SourceError, match="leads out of"):
        read([folder])


def test_as_a_stream_it_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    path = as_tar(tmp_path, members())
    path.write_bytes(gzip.compress(path.read_bytes()))
    for way in (convert, plan):
        with pytest.raises(SourceError, match="version 1") as failed:
            way(path, Options(storage=tmp_path / "out"))
        assert failed.value.finding.hint == "save it to a file first, expanded"


@settings(max_examples=60, deadline=1000)
@given(data=st.data())
def test_a_damaged_description_is_read_or_refused(data: st.DataObject) -> None:
    text = OVA_XML.format(size=len(CONTENT))
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        piece = data.draw(st.text(max_size=6) | st.sampled_from(["<", "/>", '"', "&", "../"]))
        text = text[:start] + piece + text[end:]
    with tempfile.TemporaryDirectory() as folder, suppress(SourceError):
        path = Path(folder, "ova.xml")
        path.write_text(text, "utf-8", errors="replace")
        assert read([path], "xva").kind == "xva"
