# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of XenServer and XCP-ng by their API: listed, and exported as a stream.

The records are those that ova.xml has in an export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from v2v.access import Access, password_of
from v2v.disks.xva_stream import XvaStream
from v2v.errors import Finding, SourceError
from v2v.hosts.tls import Trust
from v2v.hosts.xapi import Record, Session, logged_in
from v2v.sources import xva
from v2v.sources.address import Address
from v2v.sources.xen_host import Listed

_STATES = {"Halted": "shut off", "Running": "running", "Paused": "paused", "Suspended": "suspended"}
_USER = "root"


@contextmanager
def exported(address: Address, access: Access) -> Iterator[XvaStream]:
    """Open the export of a guest that is shut off. Raises SourceError, ConfigError."""
    with _session(address, access) as session:
        machines = session.records()["VM"]
        found = [
            record
            for record in machines.values()
            if _is_guest(record) and address.name in (record.get("uuid"), record.get("name_label"))
        ]
        record = _only(found, address, machines)
        state = _STATES.get(str(record.get("power_state")), "unknown")
        if state != "shut off":
            raise SourceError(
                "E-RUNNING",
                f"{address.name}: the guest is {state}, and only one that is shut off is exported",
                hint="shut it down first (xe vm-shutdown)",
            )
        with session.export(str(record.get("uuid"))) as file:
            yield XvaStream(file, Path(f"xapi:{address.host}", address.name))


def guests(address: Address, access: Access) -> tuple[tuple[Listed, ...], tuple[Finding, ...]]:
    """Return all guests of a pool, and what could not be read. Raises SourceError."""
    with _session(address, access) as session:
        records = session.records()
    listed, findings = [], []
    for reference, record in records["VM"].items():
        if not _is_guest(record):
            continue
        try:
            machine = xva.from_records(records, reference, Path(f"xapi:{address.host}"))
        except SourceError as error:
            findings.append(error.finding)
            continue
        listed.append(Listed(machine, _STATES.get(str(record.get("power_state")), "unknown")))
    return tuple(listed), tuple(findings)


def _is_guest(record: Record) -> bool:
    return not any(
        record.get(key) for key in ("is_a_template", "is_a_snapshot", "is_control_domain")
    )


def _only(
    found: list[Mapping[str, object]],
    address: Address,
    machines: Mapping[str, Mapping[str, object]],
) -> Mapping[str, object]:
    if len(found) == 1:
        return found[0]
    if found:
        uuids = ", ".join(str(record.get("uuid")) for record in found)
        raise SourceError(
            "E-HOST-GUEST",
            f"{address.host}: {len(found)} guests are called {address.name!r}",
            hint=f"name one by its UUID: {uuids}",
        )
    names = sorted(str(each.get("name_label")) for each in machines.values() if _is_guest(each))
    raise SourceError(
        "E-HOST-GUEST",
        f"{address.host}: has no guest {address.name!r}",
        hint=f"it has: {', '.join(names) or 'none'}",
    )


@contextmanager
def _session(address: Address, access: Access) -> Iterator[Session]:
    password = password_of(access)
    trust = Trust(access.cacert, access.thumbprint)
    user = address.user or _USER
    with logged_in(address.host, address.port, user, password, trust) as session:
        yield session
