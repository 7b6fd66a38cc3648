# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from converters.linux.nic_rules import read_rules
from tests.converters.linux.reading import read


def test_udev_rules_bind_names_to_macs_or_to_what_is_lost() -> None:
    named = read(
        read_rules,
        """\
SUBSYSTEM=="net", ATTR{address}=="00:16:3e:00:00:01", NAME="eth0"
# SUBSYSTEM=="net", ATTR{address}=="00:16:3e:00:00:02", NAME="eth1"
SUBSYSTEM=="net", KERNELS=="0000:0b:00.0", NAME="lan"
SUBSYSTEM=="net", DRIVERS=="?*", ATTR{type}=="1", NAME="any"
SUBSYSTEM=="block", KERNELS=="1:0:0:0", NAME="disk"
KERNEL=="eth*", SYSFS{address}=="00:16:3E:00:00:03", NAME="eth2"
""",
    )
    assert named.bound == {"00:16:3e:00:00:01": "eth0", "00:16:3e:00:00:03": "eth2"}
    assert list(named.cards()) == ["lan"]
