# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that the old host started from a kernel of its own."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

import converters
from converters.linux import outside_kernel, prepare
from tests.converters.guests import Case
from tests.converters.linux.drafting import case, described
from v2v.changes import Draft, Plan
from v2v.model import Boot, BootMethod, InitramfsMode

GUEST = "xen-pvgrub-debian9-menu-lst"
SPLICED = "xen-partitions-ubuntu1404-upstart"
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
    return started(GUEST, folder, version, INITRD, without)


def spliced(folder: Path, *, without: bool) -> Case:
    """A guest whose initramfs can be spliced, with a kernel of its own or without."""
    (initrd,) = (
        path for path in case(SPLICED, {}).files.content if path.startswith("/boot/initrd")
    )
    version = initrd.removeprefix("/boot/initrd.img-")
    return started(
        SPLICED, folder, version, initrd, (initrd, f"/boot/vmlinuz-{version}") if without else ()
    )


def started(name: str, folder: Path, version: str, ramdisk: str, without: tuple[str, ...]) -> Case:
    found = case(name, {}, without=without)
    (folder / "vmlinuz").write_bytes(kernel(f"{version} (builder@host) #1"))
    initrd = case(name, {}).files.content[ramdisk]
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


def direct(found: Case, mode: InitramfsMode = InitramfsMode.auto) -> Plan:
    _, plan = converters.plan(found.machine, found.guest, found.files, mode, keep_direct_boot=True)
    return plan


@pytest.mark.parametrize("without", [True, False])
def test_a_kernel_that_is_kept_outside_leaves_boot_alone(tmp_path: Path, without: bool) -> None:
    plan = direct(spliced(tmp_path, without=without))
    assert plan.blockers == ()
    kinds = {change.kind for change in plan.changes}
    assert not kinds & {"upload_file", "upload_folder", "write_boot_code", "run"}
    assert plan.direct is not None
    assert plan.direct.kernel == (tmp_path / "vmlinuz").read_bytes()
    assert plan.direct.initramfs is not None
    before = (tmp_path / "initrd.img").read_bytes()
    assert plan.direct.initramfs.startswith(before)  # spliced
    assert len(plan.direct.initramfs) > len(before)
    words = plan.direct.cmdline.split()
    assert words[0].startswith("root=UUID=")
    assert "console=ttyS0" in plan.direct.cmdline


def test_what_is_started_from_a_disk_cannot_be_kept_outside(tmp_path: Path) -> None:
    found = guest(tmp_path)
    pygrub = replace(found.machine, boot=Boot(BootMethod.pygrub))
    plan = direct(replace(found, machine=pygrub))
    assert "E-DIRECT-BOOT" in [blocker.code for blocker in plan.blockers]
    assert plan.direct is None


def test_an_initramfs_that_must_be_rebuilt_cannot_be_kept_outside(tmp_path: Path) -> None:
    plan = direct(guest(tmp_path), InitramfsMode.rebuild)
    assert "E-DIRECT-BOOT" in [blocker.code for blocker in plan.blockers]


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
