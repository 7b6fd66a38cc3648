# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import nic_pins
from converters.linux.conversion import Conversion
from tests.converters.guests import Case
from tests.converters.linux.drafting import case, described, draft
from v2v.changes import Draft

XEN = "xen-pygrub-debian12"
MAC = "00:16:3e:5a:1e:01"
STATUS = "/var/lib/dpkg/status"
RULES = "/etc/udev/rules.d/70-persistent-net.rules"
GRUB = "/etc/default/grub"


def nothing(draft: Draft, conversion: Conversion) -> None:
    """A step that leaves the guest as it is."""


def guest(content: dict[str, str], *, udev: int | None = None) -> Case:
    status = f"Package: udev\nStatus: install ok installed\nVersion: {udev}-1\n" if udev else ""
    grub = {GRUB: "", "/boot/grub/grub.cfg": ""}
    return case(XEN, {STATUS: status, **grub, **content})


def pinned(found: Case, name: str) -> tuple[Draft, str | None]:
    drafted, conversion = draft(nothing, found)
    return drafted, nic_pins.pin(drafted, conversion, {0: name}).get(name)


def test_udev_220_reads_link_files() -> None:
    drafted, _ = pinned(guest({}, udev=220), "lan")
    assert described(drafted) == ["create /etc/systemd/network/10-v2v-lan.link"]


@pytest.mark.parametrize("udev", [98, 147, 219])
def test_older_udev_has_rules(udev: int) -> None:
    drafted, _ = pinned(guest({RULES: "# kept"}, udev=udev), "lan")
    text = drafted.text(RULES)
    assert text.startswith("# kept\n# Names")
    assert text.endswith(f'ATTR{{address}}=="{MAC}", ATTR{{type}}=="1", NAME="lan"\n')


def test_a_udev_of_no_known_version_has_rules() -> None:
    drafted, _ = pinned(guest({"/etc/udev/udev.conf": ""}), "lan")
    assert described(drafted) == [f"create {RULES}"]


def test_a_rule_is_not_written_twice() -> None:
    drafted, _ = pinned(guest({RULES: nic_pins.udev_rule("lan", MAC)}, udev=219), "lan")
    assert described(drafted) == []


def test_mdev_runs_nameif() -> None:
    content = {"/etc/mdev.conf": "-net/.*\troot:network\t600 @nameif\n", "/etc/mactab": "x y\n"}
    drafted, _ = pinned(guest(content), "lan")
    assert drafted.text("/etc/mactab").endswith(f"\nlan {MAC}\n")


@pytest.mark.parametrize("udev", [None, 95])
def test_the_kernels_own_name_needs_nothing(udev: int | None) -> None:
    drafted, reason = pinned(guest({}, udev=udev), "eth0")
    assert (described(drafted), reason) == ([], None)


@pytest.mark.parametrize("udev", [None, 95])
def test_another_name_needs_something_that_gives_it(udev: int | None) -> None:
    drafted, reason = pinned(guest({"/etc/mdev.conf": "null root:root 666\n"}, udev=udev), "lan")
    assert described(drafted) == []
    assert reason == "the guest has no udev that could give this name to a network card"


@pytest.mark.parametrize(
    ("udev", "content", "predictable"),
    [
        (252, {}, True),
        (197, {}, True),
        (196, {}, False),
        (None, {}, False),
        (None, {"/etc/udev/udev.conf": ""}, True),
        (252, {GRUB: 'GRUB_CMDLINE_LINUX="net.ifnames=0 biosdevname=0"\n'}, False),
        (252, {GRUB: 'GRUB_CMDLINE_LINUX="quiet net.ifnames=0"\n'}, False),
        (252, {GRUB: 'GRUB_CMDLINE_LINUX="net.ifnames=1"\n'}, True),
        (252, {"/boot/grub/grub.cfg": "linux /vmlinuz ro net.ifnames=0\n"}, False),
        (252, {"/etc/kernel/cmdline": "root=/dev/sda1 net.ifnames=0\n"}, False),
    ],
)
def test_names_by_slot_come_with_udev_197_unless_they_are_off(
    udev: int | None, content: dict[str, str], predictable: bool
) -> None:
    drafted, conversion = draft(nothing, guest(content, udev=udev))
    assert nic_pins.is_predictable(drafted, conversion) is predictable
