# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests of a host, as ``v2v list`` prints them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from v2v.sources.xen_host import Listed
from v2v.units import iec

_HEAD = ("NAME", "STATE", "VCPUS", "MEMORY", "DISKS", "UUID")


def to_json(found: Sequence[Listed], address: str) -> str:
    """Return a list of objects; sizes are bytes, null where the image is not there."""
    guests = [
        {
            "name": each.machine.name,
            "uuid": each.machine.uuid,
            "state": each.state,
            "vcpus": each.machine.vcpus,
            "memory_bytes": each.machine.memory_bytes,
            "disks": [
                {"device": disk.device, "path": disk.path, "bytes": disk.virtual_bytes}
                for disk in each.machine.disks
            ],
            "path": each.path or each.machine.name,
            "blockers": [blocker.code for blocker in each.blockers],
            "source": _source(each, address),
        }
        for each in found
    ]
    return json.dumps(guests, indent=2) + "\n"


def to_csv(found: Sequence[Listed], address: str) -> str:
    """Return a line for each guest under a line of names; the disks' sizes are added up."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("name", "uuid", "state", "vcpus", "memory_bytes", "disks", "disk_bytes",
                    "path", "blockers", "source"))  # fmt: skip
    for each in found:
        machine = each.machine
        total = sum(disk.virtual_bytes or 0 for disk in machine.disks)
        lines.writerow(
            (machine.name, machine.uuid, each.state, machine.vcpus, machine.memory_bytes,
             len(machine.disks), total, each.path or machine.name, _codes(each),
             _source(each, address))
        )  # fmt: skip
    return text.getvalue()


def to_plan(found: Sequence[Listed], address: str) -> str:
    """Return a plan for v2v batch with every guest; those that are blocked are comments."""
    lines = ["defaults:", "  output: local", "  output_storage: .", "guests:"]
    for each in found:
        source = _source(each, address)
        item = f"  - {{source: {json.dumps(source)}, output_name: {json.dumps(each.machine.name)}}}"
        lines.append(
            f"{item}  # {each.state}" if not each.blockers else f"  # {_codes(each)} {item}"
        )
    return "\n".join(lines) + "\n" if found else "\n".join([*lines[:-1], "guests: []"]) + "\n"


def _source(each: Listed, address: str) -> str:
    """Return the address of a guest of the host that an address is of."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/{quote(each.path or each.machine.name)}"


def to_text(found: Sequence[Listed]) -> str:
    """Return a table for people."""
    rows = [_HEAD, *map(_row, found)]
    if any(each.blockers for each in found):
        codes = ("BLOCKERS", *(_codes(each) for each in found))
        rows = [(*row, code) for row, code in zip(rows, codes, strict=True)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def _codes(each: Listed) -> str:
    return " ".join(dict.fromkeys(blocker.code for blocker in each.blockers))


def _row(each: Listed) -> tuple[str, ...]:
    machine = each.machine
    sizes = (
        iec(disk.virtual_bytes) if disk.virtual_bytes is not None else "absent"
        for disk in machine.disks
    )
    return (
        machine.name, each.state, str(machine.vcpus), iec(machine.memory_bytes),
        " + ".join(sizes) or "none", machine.uuid or "-",
    )  # fmt: skip
