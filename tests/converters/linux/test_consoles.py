# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from converters.linux import consoles
from tests.converters.linux.drafting import case, described, draft

OLD, NEW, TRUSTY = (
    "vmware-debian8-sysvinit",
    "xen-pygrub-debian12",
    "xen-partitions-ubuntu1404-upstart",
)


def test_a_getty_on_xens_console_moves_to_the_serial_one() -> None:
    content = {"/etc/inittab": "co:2345:respawn:/sbin/getty hvc0\n#h0:2:respawn:/sbin/getty hvc0\n"}
    drafted, _ = draft(consoles.move_inittab, case(OLD, content))
    assert drafted.text("/etc/inittab") == (
        "co:2345:respawn:/sbin/getty ttyS0\n#h0:2:respawn:/sbin/getty hvc0\n"
    )


def test_there_is_one_getty_on_the_serial_console() -> None:
    content = {"/etc/inittab": "S0:2:respawn:/sbin/getty ttyS0\nco:2:respawn:/sbin/getty xvc0\n"}
    drafted, _ = draft(consoles.move_inittab, case(OLD, content))
    assert drafted.text("/etc/inittab") == "S0:2:respawn:/sbin/getty ttyS0\n"


def test_systemd_guests_keep_the_example_in_their_inittab() -> None:
    content = {"/etc/inittab": "#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n"}
    drafted, _ = draft(consoles.move_inittab, case(NEW, content))
    assert described(drafted) == []


def test_root_logs_in_on_the_serial_console_only_where_it_could_on_xens() -> None:
    drafted, _ = draft(consoles.allow_root_login, case(OLD, {"/etc/securetty": "tty1\n"}))
    assert described(drafted) == []
    drafted, _ = draft(consoles.allow_root_login, case(OLD, {"/etc/securetty": "tty1\nhvc0\n"}))
    assert drafted.text("/etc/securetty") == "tty1\nttyS0\n"


def test_upstart_gets_a_getty_like_that_of_the_first_screen() -> None:
    guest = case(TRUSTY, {}, without=("/etc/init/hvc0.conf",))
    drafted, _ = draft(consoles.move_upstart_gettys, guest)
    assert drafted.text("/etc/init/ttyS0.conf").endswith("exec /sbin/getty -8 38400 ttyS0\n")
