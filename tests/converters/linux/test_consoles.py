# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import consoles
from tests.converters.linux.drafting import case, described, draft
from v2v.files import Link

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


@pytest.mark.parametrize(
    "example",
    ["T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100", "ttyS0::respawn:/sbin/getty -L 0 ttyS0 vt100",
     "S0:12345:respawn:/sbin/agetty -L 9600 ttyS0 vt102"],
)  # fmt: skip
def test_the_example_of_each_distribution_comes_into_force(example: str) -> None:
    content = {"/etc/inittab": f"1:2:respawn:/sbin/getty tty1\n#{example}\n#x\n"}
    drafted, _ = draft(consoles.move_inittab, case(OLD, content))
    assert drafted.text("/etc/inittab") == f"1:2:respawn:/sbin/getty tty1\n{example}\n#x\n"


def test_an_inittab_without_an_example_gets_a_line_for_a_program_that_there_is() -> None:
    screen = "1:2345:respawn:/sbin/mingetty tty1\n"
    content = {"/etc/inittab": f"{screen}2:2345:respawn:/sbin/mingetty tty2\n"}
    drafted, _ = draft(consoles.move_inittab, case(OLD, {**content, "/sbin/agetty": "ELF"}))
    assert drafted.text("/etc/inittab").splitlines()[:2] == [
        screen.strip(),
        "S0:2345:respawn:/sbin/agetty ttyS0 115200 vt100",
    ]
    assert described(draft(consoles.move_inittab, case(OLD, content))[0]) == []


def test_only_citrixs_tools_have_hidden_the_screens() -> None:
    content = {"/etc/inittab": "#1:2345:respawn:/sbin/mingetty tty1\n#own\n"}
    assert described(draft(consoles.restore_screens, case(OLD, content))[0]) == []
    citrix = case(OLD, {**content, "/etc/init.d/xe-linux-distribution": "#!/bin/sh\n"})
    drafted, _ = draft(consoles.restore_screens, citrix)
    assert drafted.text("/etc/inittab") == "1:2345:respawn:/sbin/mingetty tty1\n#own\n"


def test_runit_gets_its_service_on_the_serial_console() -> None:
    void = "/etc/runit/runsvdir/default"
    content: dict[str, bytes | str | Link] = {
        f"{void}/agetty-hvc0": Link("/etc/sv/agetty-hvc0"),
        "/etc/sv/agetty-ttyS0/run": "#!/bin/sh\n",
    }
    drafted, _ = draft(consoles.move_runit_gettys, case(OLD, content))
    assert described(drafted) == [
        f"remove {void}/agetty-hvc0",
        f"link {void}/agetty-ttyS0 -> /etc/sv/agetty-ttyS0",
    ]
