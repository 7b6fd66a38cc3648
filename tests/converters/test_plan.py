# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from tests.converters.guests import load
from tests.converters.linux.drafting import case
from v2v.model import Bus


def test_the_guest_comes_back_with_its_kernels() -> None:
    guest, _ = load("xen-kernels-default-without-virtio").plan()
    assert [(kernel.version, kernel.default) for kernel in guest.kernels] == [
        ("6.6.30-minimal", True),
        ("6.1.0-50-amd64", False),
        ("6.1.0-49-amd64", False),
    ]


def test_xen_kernels_alone_are_a_blocker() -> None:
    _, plan = load("xenlinux-only-debian5").plan()
    assert plan.blockers[0].code == "E-KERNEL-XEN"
    assert plan.blockers[0].message.endswith("its kernels run on Xen only: 2.6.26-2-xen-amd64")


def test_no_kernel_at_all_is_a_blocker() -> None:
    version = "6.1.0-50-amd64"
    gone = (f"/boot/vmlinuz-{version}", f"/boot/initrd.img-{version}")
    _, plan = case("xen-pygrub-debian12", {}, without=gone).plan()
    assert [found.code for found in plan.blockers] == ["E-KERNEL-NONE"]
    assert "there is no kernel in /boot" in plan.blockers[0].message


def test_a_kernel_without_virtio_gets_emulated_hardware_and_a_warning() -> None:
    _, plan = load("vmware-custom-kernel-without-virtio").plan()
    assert [found.code for found in plan.warnings] == ["W-NO-VIRTIO"]
    assert plan.capabilities.block_bus is Bus.sata


def test_an_unknown_distribution_is_converted_with_a_warning() -> None:
    guest = load("xen-pygrub-debian12")
    unknown = replace(guest, guest=replace(guest.guest, distro="myown", product="My Own 1"))
    _, plan = unknown.plan()
    assert plan.blockers == ()
    assert [(found.code, found.message) for found in plan.warnings] == [
        ("W-DISTRIBUTION", "My Own 1: this distribution is not known; what its files show is done")
    ]
    derived = replace(unknown, guest=replace(unknown.guest, like=("ubuntu", "debian")))
    assert derived.plan()[1].warnings == ()


@pytest.mark.parametrize(
    ("distro", "version", "level"),
    [("rhel", "8.10", 1), ("rocky", "9.4", 2), ("centos", "10", 3), ("sles", "16.0", 2),
     ("fedora", "42", 1), ("debian", "13", 1), ("rhel", "", 1)],
)  # fmt: skip
def test_the_cpu_that_a_release_is_built_for_is_said(distro: str, version: str, level: int) -> None:
    guest = load("xen-pygrub-debian12")
    other = replace(guest, guest=replace(guest.guest, distro=distro, version=version))
    assert other.plan()[1].capabilities.cpu_level == level


def test_the_kernels_emulated_devices_are_those_it_has_drivers_for() -> None:
    content = {"/boot/config-4.9.30-custom": "CONFIG_ATA_PIIX=y\nCONFIG_8139CP=y\n"}
    _, plan = case("vmware-custom-kernel-without-virtio", content).plan()
    found = plan.capabilities
    assert (found.block_bus, found.machine, found.net_model) == (Bus.ide, "pc", "rtl8139")
    assert [warning.code for warning in plan.warnings] == ["W-NO-VIRTIO"]


def test_a_kernel_without_any_driver_for_kvm_is_named() -> None:
    content = {
        "/boot/config-4.9.30-custom": "CONFIG_EXT4_FS=y\n",
        "/lib/modules/4.9.30-custom/modules.dep": "kernel/drivers/scsi/vmw_pvscsi.ko:\n",
    }
    _, plan = case("vmware-custom-kernel-without-virtio", content).plan()
    codes = [warning.code for warning in plan.warnings]
    assert codes == ["W-NO-VIRTIO", "W-DISK-DRIVER", "W-NIC-DRIVER"]
