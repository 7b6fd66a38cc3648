# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.kernel_cmdline import (
    SERIAL,
    rename_disks,
    with_serial,
    without_xen,
    xen_console_to_serial,
)
from tests.converters.linux.names import LUKS, ROOT, SWAP, names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" root=/dev/xvda1 ro ", f" root=UUID={ROOT} ro "),
        ("ro  resume=/dev/xvda2\tquiet", f"ro  resume=UUID={SWAP}\tquiet"),
        ("root=UUID=1 resume=/dev/mapper/vg-swap", "root=UUID=1 resume=/dev/mapper/vg-swap"),
        (
            "cryptopts=target=c,source=/dev/xvda5,lvm=vg",
            f"cryptopts=target=c,source=UUID={LUKS},lvm=vg",
        ),
        ("myroot=/dev/xvda1", "myroot=/dev/xvda1"),
    ],
)
def test_disks_are_renamed(old: str, new: str) -> None:
    assert rename_disks(old, names(), by_uuid=True).text == new


def test_a_kernel_without_initramfs_gets_a_device() -> None:
    assert rename_disks("root=/dev/xvda1 ro", names(), by_uuid=False).text == "root=/dev/vda1 ro"


def test_a_disk_that_there_is_not_stays_and_is_told() -> None:
    edited = rename_disks("root=/dev/xvdq1 ro", names(), by_uuid=True)
    assert (edited.text, edited.unknown) == ("root=/dev/xvdq1 ro", ("/dev/xvdq1",))


def test_arguments_for_xen_go() -> None:
    old = "xencons=tty root=LABEL=a clocksource=xen quiet independent_wallclock xen_emul_unplug=all"
    assert without_xen(old, xen_guest=False) == "root=LABEL=a quiet"
    assert without_xen("a clocksource=tsc", xen_guest=True) == "a clocksource=tsc"


def test_remedies_against_xen_go_from_xen_guests_alone() -> None:
    assert without_xen("a noirqdebug iommu=soft b", xen_guest=True) == "a b"
    assert without_xen("a noirqdebug iommu=soft b", xen_guest=False) == "a noirqdebug iommu=soft b"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("console=hvc0", SERIAL),
        ("console=tty0 console=hvc0 quiet", f"console=tty0 {SERIAL} quiet"),
        ("console=hvc0 console=tty0", f"{SERIAL} console=tty0"),
        ("console=xvc0 console=hvc0", SERIAL),
        ("a console=hvc0 console=ttyS0,9600", "a console=ttyS0,9600"),
        ("console=hvc1", "console=hvc1"),
    ],
)
def test_xens_console_becomes_the_one_serial_console(old: str, new: str) -> None:
    assert xen_console_to_serial(old) == new


def test_a_serial_console_elsewhere_takes_the_place_of_xens() -> None:
    assert xen_console_to_serial("a console=hvc0", already=True) == "a"


@pytest.mark.parametrize(
    ("old", "last", "new"),
    [
        ("ro quiet ", False, f"ro quiet console=tty0 {SERIAL} "),
        ("ro console=tty1", False, f"ro console=tty1 {SERIAL}"),
        ("", False, f"console=tty0 {SERIAL}"),
        ("ro console=ttyS1", False, "ro console=ttyS1"),
        ("ro quiet", True, f"ro quiet {SERIAL} console=tty0"),
        ("ro console=tty1", True, f"ro {SERIAL} console=tty1"),
    ],
)
def test_a_serial_console_is_added_where_there_is_none(old: str, last: bool, new: str) -> None:
    assert with_serial(old, screen_last=last) == new
    assert with_serial(new, screen_last=last) == new
