# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of vCenter and ESXi by their API: found, described, listed."""

from __future__ import annotations

from dataclasses import replace

from v2v.access import Access, password_of
from v2v.datastore import Datastore, Login, Vddk
from v2v.errors import ConfigError, Finding, SourceError
from v2v.hosts.vsphere import Inventory, logged_in
from v2v.model import Machine
from v2v.sources.address import Address
from v2v.sources.vsphere import Described, describe
from v2v.sources.vsphere_export import NfcExport, Warn
from v2v.sources.vsphere_inventory import Entry, entries, only, port_groups
from v2v.sources.xen_host import Listed

SCHEMES = ("vpx", "esx")
_USERS = {"vpx": "administrator@vsphere.local", "esx": "root"}
_STATES = {"poweredOff": "shut off", "poweredOn": "running", "suspended": "suspended"}
_WHOLE = ("config", "runtime.powerState")
# What only reading single files of a datastore cannot do.
_BY_FILES = ("E-VSPHERE-CHAIN",)


def read(address: Address, access: Access) -> Machine:
    """Return a guest whose disks are read as they are needed. Raises SourceError, ConfigError."""
    login = _login(address, access)
    with logged_in(login) as session:
        inventory = session.inventory()
        entry = only(inventory, address.name, address.host)
        entry = replace(entry, properties=session.properties(entry.reference, *_WHOLE))
    vddk = None if access.transport != "vddk" else Vddk(access.vddk)
    store = Datastore(login, entry.datacenter, entry.reference._moId, vddk)
    described = _described(entry, address, inventory, store)
    for blocker in _standing(described, access):
        raise SourceError(blocker.code, blocker.message, hint=blocker.hint)
    return _with_files(described.machine, access.vddk_files)


def export(address: Address, access: Access, warn: Warn) -> NfcExport:
    """Return a guest whose disks the host sends as streams. Raises SourceError, ConfigError."""
    return NfcExport(read(address, access), warn)


def _standing(described: Described, access: Access) -> tuple[Finding, ...]:
    """Return what stands in the way of the transport that was chosen."""
    if access.transport in (None, "https"):
        return described.blockers
    return tuple(each for each in described.blockers if each.code not in _BY_FILES)


def _with_files(machine: Machine, files: tuple[str, ...]) -> Machine:
    """Return a machine whose disks have the paths that the user gives."""
    if not files:
        return machine
    if len(files) != len(machine.disks):
        raise ConfigError(
            "E-USAGE",
            f"-io vddk-file: {len(files)} are given, {machine.name} has {len(machine.disks)} disks",
        )
    disks = zip(machine.disks, files, strict=True)
    return replace(machine, disks=tuple(replace(disk, path=path) for disk, path in disks))


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
        blockers = _standing(described, access)
        listed.append(Listed(described.machine, state, entry.where, blockers))
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
    return describe(config, address.host, port_groups(inventory), store, running=running)


def _login(address: Address, access: Access) -> Login:
    user = address.user or _USERS[address.scheme]
    password = password_of(access)
    return Login(address.host, address.port, user, password, access.cacert, access.thumbprint)
