# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMX files and VMDKs that mean harm: each gets a clear error, soon, and no file of the host."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.v2v.disks.making import raw
from tests.v2v.disks.test_references import descriptor
from tests.v2v.disks.vmdk_writers import write_cowd, write_sesparse
from v2v.cli import main
from v2v.run import run

HEAD = 'config.version = "8"\ndisplayName = "app"\nmemSize = "512"\n'
DISK = 'scsi0:0.fileName = "{}"\n'
MIB = bytes(1 << 20)
Make = Callable[[Path], str | bytes]
SECONDS = 30  # for any of them, on a machine that is busy


def disk(make: Callable[[Path], object]) -> Make:
    """Return what makes a guest of one disk, disk.vmdk."""

    def made(folder: Path) -> str:
        make(folder)
        return HEAD + DISK.format("disk.vmdk")

    return made


def flat(line: str, pairs: str = "CID=1\nparentCID=ffffffff") -> Make:
    """Return what makes a guest whose disk is a descriptor with a line."""
    return disk(lambda folder: descriptor(folder / "disk.vmdk", line, pairs=pairs))


def child(hint: str) -> Make:
    def make(folder: Path) -> None:
        raw(folder / "x-flat.vmdk", MIB)
        pairs = f'CID=1\nparentCID=2\nparentFileNameHint="{hint}"'
        descriptor(folder / "disk.vmdk", 'RW 2048 VMFS "x-flat.vmdk"', pairs=pairs)

    return disk(make)


def linked(folder: Path) -> None:
    (folder / "x-flat.vmdk").symlink_to("/etc/passwd")
    descriptor(folder / "disk.vmdk", 'RW 1 FLAT "x-flat.vmdk" 0')


def piped(folder: Path) -> None:
    os.mkfifo(folder / "x-flat.vmdk")
    descriptor(folder / "disk.vmdk", 'RW 1 FLAT "x-flat.vmdk" 0')


def chain(folder: Path, length: int) -> None:
    raw(folder / "x-flat.vmdk", MIB)
    for number in range(length):
        below = f"{number + 1}.vmdk"
        pairs = f'CID=1\nparentCID=00000001\nparentFileNameHint="{below}"'
        name = "disk.vmdk" if number == 0 else f"{number}.vmdk"
        descriptor(folder / name, 'RW 2048 VMFS "x-flat.vmdk"', pairs=pairs)


def sparse(at: int, form: str, *words: int) -> Make:
    """Return what makes a guest of a monolithic disk, with a word of its header changed."""

    def make(folder: Path) -> None:
        run("qemu-img", "create", "-q", "-f", "vmdk", folder / "disk.vmdk", "64M")
        data = bytearray((folder / "disk.vmdk").read_bytes())
        struct.pack_into(form, data, at, *words)
        raw(folder / "disk.vmdk", bytes(data))

    return disk(make)


def delta(kind: str, at: int, word: int) -> Make:
    """Return what makes a guest of an extent of ESX, with a word of its header changed."""

    def make(folder: Path) -> None:
        write, form = (write_cowd, "<I") if kind == "VMFSSPARSE" else (write_sesparse, "<Q")
        data = bytearray(write(folder / "x.vmdk", b"data" * (1 << 18)).read_bytes())
        struct.pack_into(form, data, at, word)
        raw(folder / "x.vmdk", bytes(data))
        descriptor(folder / "disk.vmdk", f'RW 2048 {kind} "x.vmdk"')

    return disk(make)


def many_disks(count: int) -> str:
    return HEAD + "".join(f'scsi{n // 100}:{n % 100}.fileName = "d"\n' for n in range(count))


CASES: dict[str, tuple[Make, str]] = {
    "nul_in_the_file": (lambda _: HEAD.encode() + b"\0", "E-SOURCE-UNKNOWN"),
    "nul_in_a_name": (lambda _: HEAD + DISK.format("a|00b.vmdk"), "E-DISK-PATH"),
    "newline_in_a_name": (lambda _: HEAD + DISK.format("a|0Ab.vmdk"), "E-DISK-PATH"),
    "name_too_long": (lambda _: HEAD + DISK.format("a" * 5000), "E-DISK-"),
    "name_not_in_the_encoding": (
        lambda _: b'.encoding = "UTF-8"\n' + HEAD.encode() + b'scsi0:0.fileName = "\xff.vmdk"\n',
        "E-DISK-MISSING",
    ),
    "device_of_the_host": (lambda _: HEAD + DISK.format("/dev/tty"), "E-DISK-KIND"),
    "folder": (lambda _: HEAD + DISK.format("/etc"), "E-DISK-KIND"),
    "text_as_a_disk": (lambda _: HEAD + DISK.format("/etc/passwd"), "E-DISK-FORMAT"),
    "10000_disks": (lambda _: many_disks(10_000), "10,000 disks make no sense"),
    "memory_of_an_exabyte": (
        lambda _: HEAD.replace("512", "999999999999") + DISK.format("d"), "E-VMX-VALUE",
    ),
    "a_billion_cpus": (lambda _: HEAD + 'numvcpus = "1000000000"\n', "E-VMX-VALUE"),
    "number_of_a_thousand_digits": (lambda _: HEAD + f'numvcpus = "{"9" * 1000}"\n', "E-VMX-VALUE"),
    "larger_than_any_configuration": (lambda _: HEAD + "#" * (5 << 20), "E-SOURCE-SIZE"),
    "name_with_a_way_out": (
        lambda _: HEAD.replace('"app"', '"../../etc/app"') + DISK.format("d"), "E-NAME",
    ),
    "extent_by_path": (flat('RW 1 FLAT "/etc/passwd" 0'), "E-IMAGE-ESCAPES"),
    "extent_by_dots": (flat('RW 1 FLAT "../../../../etc/passwd" 0'), "E-IMAGE-ESCAPES"),
    "extent_by_a_link": (disk(linked), "E-IMAGE-ESCAPES"),
    "extent_is_a_pipe": (disk(piped), "E-DISK-KIND"),
    "extent_is_the_descriptor": (flat('RW 1 SPARSE "disk.vmdk"'), "E-DISK-FORMAT"),
    "extent_of_the_network": (flat('RW 1 FLAT "nbd://127.0.0.1:1/x" 0'), "E-"),
    "extent_too_large": (flat('RW 999999999999999999 FLAT "disk.vmdk" 0'), "is not credible"),
    "extents_that_add_up": (
        flat("\n".join(['RW 9000000000000 FLAT "disk.vmdk" 0'] * 1000)), "is not credible",
    ),
    "extent_far_in_the_file": (
        flat('RW 1 FLAT "disk.vmdk" 999999999999999999'), "E-DISK-TRUNCATED",
    ),
    "extent_is_a_device": (flat('RW 1 VMFSRAW "/dev/sda"'), "E-DISK-RAW-DEVICE"),
    "parent_by_path": (child("/etc/passwd"), "E-IMAGE-ESCAPES"),
    "parent_by_dots": (child("../" * 20 + "etc/passwd"), "E-IMAGE-ESCAPES"),
    "parent_is_itself": (child("disk.vmdk"), "E-IMAGE-CHAIN"),
    "parent_of_the_network": (child("nbd://127.0.0.1:1/x"), "E-"),
    "parent_as_json": (child("json:{}"), "E-"),
    "parents_without_end": (disk(lambda folder: chain(folder, 300)), "E-IMAGE-CHAIN"),
    "capacity_of_an_exabyte": (sparse(12, "<Q", 1 << 55), "is not credible"),
    "capacity_of_none": (sparse(12, "<Q", 0), "E-DISK-FORMAT"),
    "grains_of_none": (sparse(20, "<Q", 0), "is not credible"),
    "tables_without_entries": (sparse(44, "<I", 0), "is not credible"),
    "directory_behind_the_end": (sparse(56, "<Q", 1 << 40), "E-DISK-TRUNCATED"),
    "descriptor_elsewhere": (sparse(28, "<Q", 77), "E-DISK-FORMAT"),
    "cowd_grains_of_none": (delta("VMFSSPARSE", 16, 0), "E-DISK-FORMAT"),
    "cowd_directory_behind_the_end": (delta("VMFSSPARSE", 20, 1 << 30), "E-DISK-TRUNCATED"),
    "sesparse_of_an_exabyte": (delta("SESPARSE", 16, 1 << 60), "is not credible"),
    "sesparse_directory_behind_the_end": (delta("SESPARSE", 128, 1 << 40), "E-DISK-TRUNCATED"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_guest_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, said = CASES[name]
    guest, target = tmp_path / "guest", tmp_path / "target"
    guest.mkdir()
    target.mkdir()
    text = make(guest)
    source = raw(guest / "app.vmx", text if isinstance(text, bytes) else text.encode())
    begun = time.monotonic()
    assert main(["convert", str(source), "-os", str(target)]) == 1
    assert time.monotonic() - begun < SECONDS
    error = capsys.readouterr().err
    assert said in error
    assert "root:" not in error
    assert "Traceback" not in error
    assert list(target.iterdir()) == []


def test_a_file_of_a_million_odd_lines_is_told_in_a_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = raw(tmp_path / "app.vmx", HEAD.encode() + b"odd\n" * 900_000)
    assert main(["report", "--source-only", str(source)]) == 0
    said = capsys.readouterr()
    assert (said.out + said.err).count("W-VMX-LINE") < 50
    assert "899,980 more lines are odd" in said.out + said.err
