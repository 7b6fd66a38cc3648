# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.linux import nic_rules
from converters.linux.network_config import READERS, Reader
from converters.linux.network_names import Named
from converters.linux.network_shell import read_ifupdown

_WORDS = st.sampled_from(
    """iface eth0 inet static auto mapping source bridge_ports bond-slaves DEVICE= HWADDR= TYPE=Bond
    "quoted 'single ( ) [Match] Name= MACAddress= [connection] type=ethernet interface-name=
    network: ethernets: match: name: macaddress: config: - { } config_eth0= bridge_br0= HOST=
    Interface= Connection= SUBSYSTEM=="net" ATTR{address}== NAME="lan" <interface> <name> </name>
    </interface> 00:16:3e:00:00:01 # ; : [ * .10 \\ \n \t""".replace("\n    ", " ").split(" ")
)
_TEXTS = st.one_of(st.text(), st.lists(_WORDS).map(" ".join), st.lists(_WORDS).map("\n".join))
_EACH = tuple(dict.fromkeys((read_ifupdown, *(reader for _, reader in READERS))))


@pytest.mark.parametrize("reader", _EACH)
@given(text=_TEXTS)
def test_no_reader_crashes_on_any_text(reader: Reader, text: str) -> None:
    named = Named(path="/etc/net/ifaces/x/ifcfg-eth0")
    with suppress(ValueError):
        reader(named, text)
    assert all("/" not in name and not name.isspace() for name in named.cards())


@given(rule=_TEXTS)
def test_a_repaired_rule_needs_no_repair(rule: str) -> None:
    macs = {"00:16:3e:00:00:01"}
    once = nic_rules.repaired(rule, macs)
    assert nic_rules.repaired(once, macs) == once
