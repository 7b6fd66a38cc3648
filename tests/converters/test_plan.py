# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from tests.converters.guests import load
from tests.converters.linux.drafting import case
from v2v.model import Bus


def test_windows_is_a_blocker_and_changes_nothing() -> None:
    _, plan = load("windows").plan()
    assert plan.changes == ()
    assert [(found.code, found.message) for found in plan.blockers] == [
        ("E-GUEST-WINDOWS", "Windows 10 Pro: Windows guests are not converted yet")
    ]


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


def test_a_guest_without_dpkg_is_converted_with_a_warning() -> None:
    _, plan = case("xen-pygrub-debian12", {}, without=("/var/lib/dpkg/status",)).plan()
    assert plan.blockers == ()
    assert [found.code for found in plan.warnings] == ["W-DISTRIBUTION"]
