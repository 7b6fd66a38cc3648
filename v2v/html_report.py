# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reports, evidence and the results of batches as one page of HTML that needs nothing else.

It is made of their JSON (docs/report.md). The page and its looks are in templates/; Jinja escapes
whatever comes from a guest, and the page's own policy lets nothing run but the script in it.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import accumulate
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, TypeAlias

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from v2v.units import iec, lasting
from v2v.version import VERSION

Document: TypeAlias = Mapping[str, Any]  # what the json module reads

_TONES = {
    "done": "good", "ready": "good", "boots": "good", "blocked": "warning", "failed": "bad",
    "does not boot": "bad", "skipped": "idle", "started": "idle",
}  # fmt: skip
_DIFF_LINES = 2000  # of one change; its JSON has them all
_COLUMNS = (
    ("Guest", False), ("State", False), ("Source", False), ("System", False), ("Disks", True),
    ("Images", True), ("Time", True), ("Changes", True), ("Warnings", True), ("Boots", False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar."""

    name: str
    start: float
    size: float
    label: str
    tone: str = "plain"
    whole: float = 0.0  # the bar's; 0: it is told elsewhere


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a diff."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Guest:
    """What the page has of a guest, by its JSON."""

    id: str
    name: str
    state: str
    seconds: float
    report: Document
    findings: Sequence[Document]  # errors and blockers
    evidence: Document | None = None
    written: int = 0  # bytes; 0: not known

    @property
    def dry_run(self) -> bool:
        """Whether it was only looked at."""
        return bool(self.report.get("dry_run"))

    @property
    def machine(self) -> Document | None:
        """The source."""
        return self.report.get("source")

    @property
    def installed(self) -> Document:
        """What is installed."""
        return self.report.get("guest") or {}

    @property
    def target(self) -> Document | None:
        """The result."""
        return self.report.get("target")

    @property
    def warnings(self) -> Sequence[Document]:
        """Warnings of all stages, the boot proof's too, each once."""
        planned = self.report.get("plan", {}).get("warnings", [])
        proof = (self.evidence or {}).get("warnings", [])
        return [*planned, *(warning for warning in proof if warning not in planned)]

    @property
    def source(self) -> str:
        """Where it comes from."""
        if self.machine is None:
            return ""
        return f"{self.machine['hypervisor']} ({self.machine['kind']})"

    @property
    def system(self) -> str:
        """What is installed, for people."""
        return str(self.installed.get("product") or "")

    @property
    def virtual(self) -> int:
        """Bytes of its disks as the guest sees them."""
        disks = self.machine["disks"] if self.machine else []
        return sum(disk.get("virtual_bytes") or 0 for disk in disks)

    @property
    def needed(self) -> int:
        """Bytes that its images take, or will at most."""
        disks = self.target["disks"] if self.target else []
        return self.written or sum(disk["estimated_bytes"] for disk in disks)

    @property
    def about(self) -> str:
        """Its summary beside the name."""
        return " \N{MIDDLE DOT} ".join(filter(None, (self.system, self.source)))

    @property
    def boots(self) -> str:
        """What the boot proof said."""
        if self.evidence is None:
            return "\N{EN DASH}"
        return f"yes, {self.evidence['level']}" if self.evidence["booted"] else "no"

    @property
    def words(self) -> str:
        """What it is found by."""
        codes = (str(finding["code"]) for finding in (*self.findings, *self.warnings))
        return " ".join((self.name, self.state, self.source, self.system, *codes)).lower()

    @property
    def changes(self) -> list[dict[str, object]]:
        """What changes in it."""
        return [
            {
                "verb": str(change["kind"]).replace("_", " ").capitalize(),
                "what": _object(change),
                "why": change["why"],
                "diff": [*_lines(change["diff"])] if change["diff"] else None,
            }
            for change in self.report.get("plan", {}).get("changes", [])
        ]

    @property
    def images(self) -> list[dict[str, object]]:
        """The images, each with its bar."""
        return [
            {
                "name": PurePosixPath(disk["path"]).name,
                "used": Part("", 0, disk["estimated_bytes"], iec(disk["estimated_bytes"])),
                "text": f"{iec(disk['estimated_bytes'])} of {iec(disk['virtual_bytes'])}",
            }
            for disk in (self.target["disks"] if self.target else [])
        ]

    @property
    def largest(self) -> int:
        """Bytes of the largest image as the guest sees it."""
        disks = self.target["disks"] if self.target else []
        return max((disk["virtual_bytes"] for disk in disks), default=0)

    @property
    def stages(self) -> list[Part]:
        """The stages, each where it was in time."""
        timing: Mapping[str, float] = self.report.get("timing", {})
        starts = accumulate(timing.values(), initial=0.0)
        return [
            Part(name, start, spent, f"{name}: {spent:.1f} s")
            for (name, spent), start in zip(timing.items(), starts, strict=False)
        ]

    @property
    def spent(self) -> float:
        """Seconds of all stages."""
        return sum(part.size for part in self.stages)


def _object(change: Document) -> str:
    """Return what a change is made to."""
    if "argv" in change:
        return shlex.join(change["argv"])
    if "key" in change:
        return f"{change['path']}: {change['key']}"
    if "labels" in change:
        return f"{len(change['labels'])} files"
    return str(change.get("path") or change.get("disk") or "")


def _lines(diff: str) -> Iterator[Line]:
    lines = diff.rstrip("\n").split("\n")
    for line in lines[:_DIFF_LINES]:
        if line.startswith(("+++", "---", "@@")):
            yield Line(line, "place")
        else:
            yield Line(line, {"+": "added", "-": "removed"}.get(line[:1], "same"))
    if len(lines) > _DIFF_LINES:
        yield Line(f"({len(lines) - _DIFF_LINES} more lines are in the JSON report)", "place")


def report_page(reports: Sequence[Document], made: datetime | None = None) -> str:
    """Return the page of one report or several."""
    guests = tuple(_reported(number, report) for number, report in enumerate(reports, 1))
    title = guests[0].name if len(guests) == 1 else f"{len(guests)} guests"
    return _page(title, guests, (), sum(guest.seconds for guest in guests), made)


def evidence_page(
    evidence: Document, report: Document | None = None, made: datetime | None = None
) -> str:
    """Return the page of a boot proof, with the report of the conversion if there is one."""
    state = "boots" if evidence["booted"] else "does not boot"
    name, seconds = str(evidence["name"]), float(evidence["seconds"])
    guest = Guest("guest-1", name, state, seconds, report or {}, (), evidence)
    return _page(name, (guest,), (), seconds, made)


def failure_page(name: str, findings: Sequence[Document], made: datetime | None = None) -> str:
    """Return the page of a conversion that ended with errors."""
    return _page(name, (Guest("guest-1", name, "failed", 0, {}, findings),), (), 0, made)


def batch_page(result: Document, made: datetime | None = None) -> str:
    """Return the page of a batch."""
    guests = tuple(
        Guest(
            f"guest-{number}",
            str(row["name"]),
            "ready" if result["dry_run"] and row["state"] == "done" else str(row["state"]),
            row["seconds"],
            row["report"] or {},
            row["findings"],
            row.get("evidence"),
            row["written_bytes"],
        )
        for number, row in enumerate(result["guests"], 1)
    )
    name = PurePosixPath(result["plan"]).name
    forecast = result.get("forecast") or {}
    return _page(name, guests, result["findings"], result["seconds"], made, forecast)


def _rooms(forecast: Document) -> Iterator[Part]:
    """Yield what is needed in each file system, of what is free there."""
    for target in forecast.get("targets", []):
        name, needed, free = (
            ", ".join(target["targets"]),
            target["needed_bytes"],
            target["free_bytes"],
        )
        if free is None:
            yield Part(name, 0, needed, f"{iec(needed)} needed", whole=needed)
        else:
            tone = "bad" if needed > free else "plain"
            label = f"{iec(needed)} of {iec(free)} free"
            yield Part(name, 0, needed, label, tone, max(needed, free))


def _reported(number: int, report: Document) -> Guest:
    state = "blocked" if report["blockers"] else "ready" if report["dry_run"] else "done"
    return Guest(
        f"guest-{number}",
        str(report["source"]["name"]),
        state,
        sum(report["timing"].values()),
        report,
        report["blockers"],
    )


def _page(
    title: str,
    guests: Sequence[Guest],
    general: Sequence[Document],
    seconds: float,
    made: datetime | None,
    forecast: Document = MappingProxyType({}),
) -> str:
    count = Counter(guest.state for guest in guests)
    found = [state for state in _TONES if count[state]]
    starts = accumulate((count[state] for state in found), initial=0)
    states = [
        {"state": state, "start": start, "size": count[state], "tone": _TONES[state],
         "label": f"{count[state]} {state}"}
        for state, start in zip(found, starts, strict=False)
    ]  # fmt: skip
    css, script = _own("report.css"), _own("report.js")
    page = _environment().get_template("report.html")
    return page.render(
        title=title, version=VERSION, made=made or datetime.now(UTC), tone=_TONES,
        dry_run=any(guest.dry_run for guest in guests), guests=guests, general=general,
        figures=[*_figures(guests, seconds, forecast)], states=states,
        rooms=[*_rooms(forecast)],
        state_text=", ".join(str(part["label"]) for part in states),
        columns=[{"name": name, "figure": figure} for name, figure in _COLUMNS],
        css=css, script=script, policy=Markup(_policy(css, script)),
    )  # fmt: skip


def _figures(
    guests: Sequence[Guest], seconds: float, forecast: Document
) -> Iterator[dict[str, str]]:
    dry = any(guest.dry_run for guest in guests)
    if len(guests) == 1:
        yield {"label": "State", "value": guests[0].state, "tone": _TONES[guests[0].state]}
    else:
        yield {"label": "Guests", "value": str(len(guests))}
    if any(guest.report for guest in guests):
        warnings = sum(len(guest.warnings) for guest in guests)
        yield {"label": "Changes", "value": str(sum(len(guest.changes) for guest in guests))}
        yield {"label": "Warnings", "value": str(warnings), "tone": "warning" if warnings else ""}
        yield {"label": "Disks", "value": iec(sum(guest.virtual for guest in guests))}
        needed = sum(guest.needed for guest in guests)
        yield {"label": "Needs at most" if dry else "Images", "value": iec(needed)}
    if seconds:
        yield {"label": "Time", "value": lasting(seconds)}
    if forecast.get("seconds") is not None:
        yield {"label": "Would take", "value": lasting(forecast["seconds"])}


@cache
def _environment() -> Environment:
    """Return what makes pages: everything is escaped, and what cannot be seen is spelled out."""
    made = Environment(
        loader=PackageLoader("v2v", "templates"),
        autoescape=True,
        undefined=ChainableUndefined,  # readers ignore keys that they do not know, or miss
        finalize=_visible,
    )
    made.filters.update(iec=iec, lasting=lasting, share=_share)
    return made


def _visible(value: object) -> object:
    """Spell out what a page cannot hold, or what would turn the text around it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(
        char if char.isprintable() or char in "\n\t\xa0" else char.encode("unicode_escape").decode()
        for char in value
    )


def _share(part: float, whole: float) -> str:
    """Return a part in thousandths of the whole, as bars are drawn."""
    return f"{1000 * part / whole:.1f}" if whole else "0"


def _own(name: str) -> Markup:
    """Return one of our own files, which needs no escaping."""
    return Markup((files("v2v") / "templates" / name).read_text(encoding="utf-8"))


def _policy(css: str, script: str) -> str:
    """Return a policy that allows these two, images in the page, and nothing else."""
    styles, scripts = map(_hash, (css, script))
    return (
        f"default-src 'none'; img-src data:; style-src {styles}; script-src {scripts}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
