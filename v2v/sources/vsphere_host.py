# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of vCenter and ESXi by their API: found, described, listed."""

from __future__ import annotations

from dataclasses import replace

from v2v.access import Access, password_of
from v2v.datastore import Datastore, Login
from v2v.errors import Finding, SourceError
from v2v.hosts.vsphere import Inventory, logged_in
from v2v.model import Machine
from v2v.sources.address import Address
from v2v.sources.vsphere import Described, describe, has_parent
from v2v.sources.vsphere_inventory import Entry, entries, only, port_groups
from v2v.sources.xen_host import Listed

SCHEMES = ("vpx", "esx")
_USERS = {"vpx": "administrator@vsphere.local", "esx": "root"}
_STATES = {"poweredOff": "shut off", "poweredOn": "running", "suspended": "suspended"}
_WHOLE = ("config", "runtime.powerState")


def read(address: Address, access: Access) -> Machine:
    """Return a guest whose disks are read as they are needed. Raises SourceError, ConfigError."""
    login = _login(address, access)
    with logged_in(login) as session:
        inventory = session.inventory()
        entry = only(inventory, address.name, address.host)
        entry = replace(entry, properties=session.properties(entry.reference, *_WHOLE))
    store = Datastore(login, entry.datacenter)
    described = _described(entry, address, inventory, store)
    for blocker in described.blockers:
        raise SourceError(blocker.code, blocker.message, hint=blocker.hint)
    return described.machine


def guests(address: Address, access: Access) -> tuple[tuple[Listed, ...], tuple[Finding, ...]]:
    """Return the guests below a place of the inventory, and what could not be read.

    Raises SourceError, ConfigError.
    """
    with logged_in(_login(address, access)) as session:
        inventory = session.inventory(*_WHOLE)
    listed, findings = [], []
    wanted = address.name.split("/") if address.name else ()
    for entry in sorted(entries(inventory), key=lambda each: each.where):
        if not entry.is_below(wanted):
            continue
        try:
            described = _described(entry, address, inventory, None)
        except SourceError as error:
            findings.append(error.finding)
            continue
        state = _state(entry)
        listed.append(Listed(described.machine, state, entry.where, described.blockers))
    return tuple(listed), tuple(findings)


def _state(entry: Entry) -> str:
    return _STATES.get(str(entry.properties.get("runtime.powerState")), "unknown")


def _described(
    entry: Entry,
    address: Address,
    inventory: Inventory,
    store: Datastore | None,
) -> Described:
    """Return a guest with all that stands in its way. Raises SourceError."""
    config = entry.properties.get("config")
    if config is None:
        raise SourceError(
            "E-VSPHERE-GUEST",
            f"{address.host}: {entry.where} has no configuration: it is not accessible",
            hint="is its datastore there? may this user read it (System.Read)?",
        )
    running = _state(entry) != "shut off"
    described = describe(config, address.host, port_groups(inventory), store, running=running)
    chains = tuple(_chain_refused(entry.name, path) for path in has_parent(config))
    return Described(described.machine, (*described.blockers, *chains))


def _chain_refused(name: str, path: str) -> Finding:
    """Return the blocker for a disk that is the head of a chain."""
    return Finding(
        "E-VSPHERE-CHAIN",
        f"{name}: {path} is a snapshot, whose parents are not read over HTTPS",
        "delete the guest's snapshots, or clone it, and take the clone",
    )


def _login(address: Address, access: Access) -> Login:
    user = address.user or _USERS[address.scheme]
    password = password_of(access)
    return Login(address.host, address.port, user, password, access.cacert, access.thumbprint)
