# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests on a Xen host that SSH reaches: xl's or xm's own view, and the configurations in /etc/xen.

Guests that are running are in ``xl list``; those that are not, xl knows nothing of, while xend
keeps them. So the files count too, where people and distributions have them (xl(1), xm(1), Oracle
VM's repositories).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from v2v.errors import CommandError, Finding, SourceError
from v2v.hosts.ssh import Connection, connected
from v2v.model import Machine, Remote
from v2v.sources import sxp, xl, xl_json, xm

_STATE = re.compile(r"[r-][b-][p-][s-][c-][d-]")
_NO_XEN = 3
# One round trip: the tool, its table, then records of kind, name or path, and text.
_ASK = r"""
for tool in xl xm; do
  table=$($tool list 2> /dev/null < /dev/null) && break
  table=
done
[ -n "$table" ] || exit 3
printf '%s\000%s\000' "$tool" "$table"
printf '%s\n' "$table" | while read -r name rest; do
  case $name in Name | Domain-0) continue ;; esac
  printf 'guest\000%s\000' "$name"
  $tool list -l "$name" 2> /dev/null < /dev/null | tr -d '\000'
  printf '\000'
done
for file in /etc/xen/* /etc/xen/auto/* /etc/xen/vm/* /etc/xen/configs/* \
  /OVS/Repositories/*/VirtualMachines/*/vm.cfg /OVS/running_pool/*/vm.cfg "${1:-/etc/xen}"/*; do
  case $file in *~ | */xlexample* | */xmexample*) continue ;; esac
  [ -f "$file" ] && [ -r "$file" ] || continue
  printf 'file\000%s\000' "$file"
  head -c 262144 "$file" | tr -d '\000'
  printf '\000'
done
exit 0
"""
_SIZES = r"""
for f in "$@"; do
  if [ -b "$f" ]; then blockdev --getsize64 "$f" || echo -
  elif [ -f "$f" ]; then stat -L -c %s "$f" || echo -
  else echo -
  fi
done
"""


class _Reader(Protocol):
    def matches(self, head: bytes) -> bool: ...
    def parse(self, text: str, path: Path) -> Machine: ...


_READERS: tuple[_Reader, ...] = (xl_json, sxp, xl, xm)


@dataclass(frozen=True, slots=True)
class Listed:
    """A guest that a host has."""

    machine: Machine
    state: str  # running, paused or shut off
    path: str = ""  # in the host's inventory; empty: the name alone
    blockers: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Record:
    path: Path  # for xl's own view, one that does not exist
    text: str
    state: str = "shut off"

    def machine(self) -> Machine | None:
        """Return the guest it describes, None if it is another kind of file. Raises SourceError."""
        head = self.text.encode()
        for reader in _READERS:
            if reader.matches(head):
                return reader.parse(self.text, self.path)
        return None


def read(remote: Remote, name: str, folder: str | None = None) -> Machine:
    """Return a guest by its name; ``folder`` has configurations, too. Raises SourceError."""
    with connected(remote) as connection:
        records = _records(connection, folder)
    names: dict[str, Machine] = {}
    for record in records:
        try:
            machine = record.machine()
        except SourceError:
            if record.path.stem == name:
                raise
            continue
        if machine is not None and machine.name == name:
            return there(machine, remote, record.state)
        if machine is not None:
            names.setdefault(machine.name, machine)
    raise SourceError(
        "E-HOST-GUEST",
        f"{remote}: has no guest {name!r}",
        hint=f"it has: {', '.join(sorted(names)) or 'none'}",
    )


def guests(
    remote: Remote, folder: str | None = None
) -> tuple[tuple[Listed, ...], tuple[Finding, ...]]:
    """Return all guests of a host with the sizes of their disks, and what could not be read."""
    found: dict[str, Listed] = {}
    findings = []
    with connected(remote) as connection:
        for record in _records(connection, folder):
            try:
                machine = record.machine()
            except SourceError as error:
                findings.append(error.finding)
                continue
            if machine is not None and machine.name not in found:
                machine = there(machine, remote, record.state)
                found[machine.name] = Listed(_measured(machine, connection), record.state)
    return tuple(found.values()), tuple(findings)


def there(machine: Machine, remote: Remote, state: str = "shut off") -> Machine:
    """Return a machine whose files are on a host."""
    boot = None if machine.boot is None else replace(machine.boot, host=remote)
    disks = tuple(replace(disk, host=remote) for disk in machine.disks)
    return replace(machine, boot=boot, disks=disks, running=state != "shut off")


def _measured(machine: Machine, connection: Connection) -> Machine:
    """Return a machine with the sizes of its images' files; an absent one has none."""
    said = connection.run(_SIZES, *(disk.path for disk in machine.disks)).split()
    disks = tuple(
        replace(disk, virtual_bytes=int(size) if size.isdigit() else None)
        for disk, size in zip(machine.disks, said, strict=True)
    )
    return replace(machine, disks=disks)


def _records(connection: Connection, folder: str | None) -> tuple[_Record, ...]:
    """Return what a host has of guests, that of running ones first. Raises SourceError."""
    try:
        said = connection.run(_ASK, *([] if folder is None else [folder]))
    except CommandError as error:
        if error.status != _NO_XEN:
            raise
        raise SourceError(
            "E-HOST-XEN",
            f"{connection.remote}: neither xl list nor xm list works there",
            hint="log in as a user who may run them, such as root; is Xen running?",
        ) from error
    _, table, *rest = said.split("\0")
    return tuple(_each(rest, _states(table)))


def _each(fields: Sequence[str], states: dict[str, str]) -> Iterator[_Record]:
    for kind, name, text in zip(*(fields[start::3] for start in range(3)), strict=False):
        if kind == "guest":
            yield _Record(Path("/etc/xen", name), text, states.get(name, "shut off"))
        else:
            yield _Record(Path(name), text)


def _states(table: str) -> dict[str, str]:
    """Return the state of each guest in a table of xl or xm; xend's stopped guests have none."""
    found = {}
    for line in table.splitlines()[1:]:
        name, _, rest = line.strip().partition(" ")
        word = next((word for word in rest.split() if _STATE.fullmatch(word)), "---s--")
        ended = set(word) & set("scd")
        found[name] = "shut off" if ended else "paused" if "p" in word else "running"
    return found
