# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from tests.converters.guests import KernelText, kernel_files
from tests.converters.linux.drafting import case
from v2v.changes import Plan
from v2v.model import Bus

FEDORA, UKI = "vmware-fedora-systemd-boot", "6.9.4-200.fc40.x86_64"
ESP = "/boot/efi/EFI"
ENTRY = "/boot/efi/loader/entries/1c2d3e4f5a6b708192a3b4c5d6e7f801-6.8.5-301.fc40.x86_64.conf"
ALL = ("virtio", "virtio_ring", "virtio_pci", "virtio_blk")


def planned(modules: tuple[str, ...], root: str, *, alone: bool) -> Plan:
    """The plan for a guest whose default is a unified image, maybe its only kernel."""
    kernel: KernelText = {
        "modules": ("virtio", "vmware", "ahci"), "initramfs": modules, "tool": "dracut",
        "image": f"{ESP}/Linux/1c2d3e4f5a6b708192a3b4c5d6e7f801-{UKI}.efi",
        "cmdline": f"root={root} ro", "os_release": "ID=fedora\n",
    }  # fmt: skip
    _, plan = case(FEDORA, kernel_files(UKI, kernel), without=(ENTRY,) if alone else ()).plan()
    return plan


def codes(plan: Plan) -> set[str]:
    return {found.code for found in (*plan.blockers, *plan.warnings)}


@pytest.mark.parametrize("alone", [True, False])
def test_an_image_with_virtio_and_a_lasting_root_just_boots(alone: bool) -> None:
    plan = planned(ALL, "UUID=1", alone=alone)
    assert not codes(plan) & {"W-UKI", "E-UKI", "W-DEFAULT-KERNEL", "W-NO-VIRTIO"}
    assert plan.capabilities.block_bus is Bus.virtio
    assert not [change for change in plan.changes if "Linux/" in change.describe()]


def test_an_entry_that_boots_is_preferred_to_an_image_that_does_not() -> None:
    plan = planned(("mptspi",), "UUID=1", alone=False)
    assert {"W-UKI", "W-DEFAULT-KERNEL"} <= codes(plan)
    assert "its initramfs has no virtio drivers" in "".join(f.message for f in plan.warnings)


@pytest.mark.parametrize(
    ("modules", "root", "blocked"),
    [
        (("mptspi",), "UUID=1", True),
        (ALL, "/dev/nvme0n1p2", True),
        (("ahci", "sd_mod", "scsi_mod"), "UUID=1", False),
        (("ahci", "sd_mod", "scsi_mod"), "/dev/sda2", False),  # the SATA disk is sda
        (("ahci", "sd_mod", "scsi_mod"), "/dev/nvme0n1p2", True),
    ],
)
def test_an_image_that_is_the_only_kernel_gets_a_sata_disk_if_that_helps(
    modules: tuple[str, ...], root: str, blocked: bool
) -> None:
    plan = planned(modules, root, alone=True)
    assert codes(plan) & {"W-UKI", "E-UKI"} == {"E-UKI" if blocked else "W-UKI"}
    assert plan.capabilities.block_bus is Bus.sata
