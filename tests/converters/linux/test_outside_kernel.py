# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that the old host started from a kernel of its own."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from converters.linux import outside_kernel, prepare
from tests.converters.guests import Case
from tests.converters.linux.drafting import case, described
from v2v.changes import Draft
from v2v.model import Boot, BootMethod, InitramfsMode

GUEST = "xen-pvgrub-debian9-menu-lst"
VERSION = "4.9.0-19-amd64"
KERNEL, INITRD = f"/boot/vmlinuz-{VERSION}", f"/boot/initrd.img-{VERSION}"


def kernel(version: str) -> bytes:
    """The header of a bzImage."""
    image = bytearray(0x600)
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, 0x200)
    image[0x400 : 0x400 + len(version)] = version.encode()
    return bytes(image)


def guest(
    folder: Path, version: str = VERSION, *, without: tuple[str, ...] = (KERNEL, INITRD)
) -> Case:
    found = case(GUEST, {}, without=without)
    (folder / "vmlinuz").write_bytes(kernel(f"{version} (builder@host) #1"))
    initrd = case(GUEST, {}).files.content[INITRD]
    assert isinstance(initrd, bytes)
    (folder / "initrd.img").write_bytes(initrd)
    boot = Boot(BootMethod.direct, "vmlinuz", "initrd.img", "root=/dev/xvda1 ro")
    return replace(found, machine=replace(found.machine, boot=boot, folder=folder))


def test_kernel_and_initramfs_come_into_boot_and_are_the_ones_to_start(tmp_path: Path) -> None:
    found = guest(tmp_path)
    draft = Draft(found.files)
    conversion = prepare(draft, found.machine, found.guest, InitramfsMode.auto)
    assert [text.split(" (")[0] for text in described(draft)] == [
        f"upload {KERNEL}", f"upload {INITRD}",
    ]  # fmt: skip
    assert conversion.kernel is not None
    assert (conversion.kernel.version, conversion.kernel.initramfs) == (VERSION, INITRD)
    assert [warning.code for warning in draft.warnings] == ["W-KERNEL-OUTSIDE"]


def test_a_kernel_of_the_guest_is_better(tmp_path: Path) -> None:
    found = guest(tmp_path, without=())
    draft = Draft(found.files)
    outside_kernel.bring(draft, found.machine)
    assert (draft.changes, draft.warnings) == ([], [])


def test_a_kernel_without_its_modules_is_told(tmp_path: Path) -> None:
    found = guest(tmp_path, "3.2.0-4-amd64")
    draft = Draft(found.files)
    outside_kernel.bring(draft, found.machine)
    assert [warning.code for warning in draft.warnings] == ["W-KERNEL-MODULES", "W-KERNEL-OUTSIDE"]


@pytest.mark.parametrize("name", ["vmlinuz", "initrd.img"])
def test_what_is_not_on_this_host_stands_in_the_way(tmp_path: Path, name: str) -> None:
    found = guest(tmp_path)
    (tmp_path / name).unlink()
    draft = Draft(found.files)
    outside_kernel.bring(draft, found.machine)
    (blocker,) = draft.blockers
    assert blocker.code == "E-KERNEL-OUTSIDE"
    assert blocker.message.startswith(f"{name}: ")
    assert "--map-path" in (blocker.hint or "")
    assert draft.changes == []


def test_what_is_no_kernel_stands_in_the_way(tmp_path: Path) -> None:
    found = guest(tmp_path)
    (tmp_path / "vmlinuz").write_bytes(b"\x7fELF")
    draft = Draft(found.files)
    outside_kernel.bring(draft, found.machine)
    assert [blocker.code for blocker in draft.blockers] == ["E-KERNEL-OUTSIDE"]
