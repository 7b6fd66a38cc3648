# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.kernel_choice import capabilities, choose, release_of
from drivers.virtio import DEVICES
from v2v.model import Bus, Driver, Kernel


def kernel(
    version: str = "6.1.0",
    *,
    driver: Driver = Driver.module,
    default: bool = False,
    xen_only: bool = False,
    initramfs: bool = True,
    **drivers: Driver,
) -> Kernel:
    return Kernel(
        version=version,
        image=f"/boot/vmlinuz-{version}",
        initramfs=f"/boot/initrd.img-{version}" if initramfs else None,
        default=default,
        virtio={key: drivers.get(key, driver) for key in DEVICES},
        initramfs_has_virtio=None,
        xen_only=xen_only,
    )


def test_the_default_stays_if_it_can_run_on_kvm() -> None:
    old, new = kernel("5.10", default=True), kernel("6.1")
    assert choose((new, old), lambda _: True) is old


@pytest.mark.parametrize(
    "default",
    [
        kernel("6.6", driver=Driver.missing, default=True),
        kernel("6.6", default=True, xen_only=True),
        kernel("6.6", default=True, initramfs=False),
    ],
)
def test_a_default_that_cannot_gives_way_to_the_newest_that_can(default: Kernel) -> None:
    new, old = kernel("6.1"), kernel("5.10")
    assert choose((default, new, old), lambda _: True) is new


def test_a_kernel_in_the_menu_comes_before_one_that_is_not() -> None:
    unlisted, listed = kernel("6.1"), kernel("5.10")
    assert choose((unlisted, listed), lambda one: one is listed) is listed
    assert choose((unlisted,), lambda _: False) is unlisted


def test_a_default_without_virtio_is_better_than_a_kernel_that_nothing_starts() -> None:
    default, unlisted = kernel(driver=Driver.missing, default=True), kernel("5.10")
    assert choose((default, unlisted), lambda _: False) is default


def test_xen_kernels_alone_leave_no_choice() -> None:
    assert choose((kernel(xen_only=True),), lambda _: True) is None


def test_built_in_drivers_need_no_initramfs() -> None:
    built_in = kernel(driver=Driver.builtin, initramfs=False)
    assert capabilities(built_in).block_bus is Bus.virtio


def test_hardware_follows_the_drivers() -> None:
    found = capabilities(
        kernel(blk=Driver.missing, net=Driver.missing, rng=Driver.missing, console=Driver.missing)
    )
    assert (found.block_bus, found.net_model) == (Bus.scsi, "e1000")
    assert (found.rng, found.balloon, found.agent) == (False, True, False)


@pytest.mark.parametrize(
    ("version", "machine", "transitional", "bus"),
    [
        ("2.6.18-6-amd64", "pc", True, Bus.ide),
        ("2.6.32-5-amd64", "q35", True, Bus.sata),
        ("3.16.0-11-amd64", "q35", True, Bus.sata),
        ("4.9.0-19-amd64", "q35", False, Bus.sata),
        ("custom", "q35", False, Bus.sata),
    ],
)
def test_hardware_follows_the_age(version: str, machine: str, transitional: bool, bus: Bus) -> None:
    found = capabilities(kernel(version))
    assert (found.machine, found.virtio_transitional) == (machine, transitional)
    without = capabilities(kernel(version, driver=Driver.missing))
    assert (without.block_bus, without.net_model, without.agent) == (bus, "e1000", False)


def test_a_release_is_the_numbers_that_a_version_starts_with() -> None:
    assert release_of("6.1.0-50-amd64") == (6, 1, 0)
