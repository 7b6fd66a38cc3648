# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plans: which guests are converted, with which options, in which order and how many at once.

A plan is read whole before anything is done, and all that is wrong with it is told at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from v2v.batch.entries import GUEST_KEYS, Entry, Reader, Settings, merged, settings
from v2v.batch.places import Fields, Items, Node, Place, Problems, Text, read
from v2v.batch.values import number, truth
from v2v.errors import PlanError

_TOP = (
    "defaults", "guests", "inventory", "waves", "jobs", "jobs_per_source", "jobs_per_target",
    "stop_on_failure", "retry",
)  # fmt: skip
_WAVE = ("name", "guests", "inventory", "stop_on_failure")
_OTHERS = "others"
# What v2v list tells of a guest beside its source.
_LISTED = ("uuid", "state", "vcpus", "memory_bytes", "disks", "disk_bytes", "path", "blockers")


@dataclass(frozen=True, slots=True)
class Limit:
    """How many guests at once, for any and for some by their names. None: as many as there are."""

    each: int | None = None
    named: Mapping[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int | None:
        """Return how many there may be at once of a name."""
        return self.named.get(name, self.each)


@dataclass(frozen=True, slots=True)
class Wave:
    """Guests that are begun when those of the wave before have ended."""

    name: str
    stop_on_failure: bool  # if one of it fails, no later wave begins


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan says."""

    path: Path
    entries: tuple[Entry, ...]
    waves: tuple[Wave, ...]
    jobs: int | None = None
    per_source: Limit = field(default_factory=Limit)
    per_target: Limit = field(default_factory=Limit)
    retry: int = 0

    @property
    def folder(self) -> Path:
        """What relative paths in the plan begin at."""
        return self.path.absolute().parent


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A guest of the plan, before its values are looked at."""

    place: Place
    settings: Settings
    wave: str | None = None  # of the list of waves that it is in


def read_plan(path: Path) -> Plan:
    """Return what a plan says. Raises PlanError with all that is wrong with it."""
    problems = Problems()
    top = read(path)
    fields = settings(top, _TOP, problems)
    if fields and not {"guests", "inventory", "waves"} & set(fields):
        problems.add(top.place, "there are no guests in it", "name them under guests:")
    reader = Reader(path.absolute().parent, problems)
    defaults = _defaults(fields, problems)
    stop = _truth(fields, "stop_on_failure", problems)
    wanted = [*_guests(fields, path, problems, None)]
    waves: dict[str, bool] = {}
    for place, wave in _waves(fields, problems):
        _, name = wave.get("name", (place, Text(place, str(len(waves) + 1))))
        key = name.value if isinstance(name, Text) and name.value else str(place.line)
        if key in waves:
            problems.add(name.place, f"there is a wave {key} already")
        waves[key] = _truth(wave, "stop_on_failure", problems, default=stop)
        wanted += _guests(wave, path, problems, key)
    entries = _entries(reader, defaults, wanted, tuple(waves))
    if not problems.found and not entries and "guests" not in fields:
        problems.add(top.place, "there are no guests in it")
    plan = Plan(
        path,
        entries,
        _named(entries, waves, stop=stop),
        _number(fields, "jobs", problems),
        _limit(fields, "jobs_per_source", problems),
        _limit(fields, "jobs_per_target", problems, partial(_target, path.absolute().parent)),
        _number(fields, "retry", problems, least=0) or 0,
    )
    if problems.found:
        raise PlanError(problems.found)
    return plan


def _defaults(fields: Settings, problems: Problems) -> Settings:
    if "defaults" not in fields:
        return {}
    known = [key for key in GUEST_KEYS if key not in ("source", "name", "output_name")]
    return settings(fields["defaults"][1], known, problems)


def _waves(fields: Settings, problems: Problems) -> Iterator[tuple[Place, Settings]]:
    if "waves" in fields:
        for node in _items(fields["waves"][1], problems):
            yield node.place, settings(node, _WAVE, problems)


def _guests(
    fields: Settings, plan: Path, problems: Problems, wave: str | None
) -> Iterator[_Wanted]:
    """Yield the guests that are written down, then those of inventories."""
    if "guests" in fields:
        for node in _items(fields["guests"][1], problems):
            of_guest = settings(node, GUEST_KEYS, problems)
            if isinstance(node, Fields):
                yield _Wanted(node.place, of_guest, wave)
    if "inventory" in fields:
        _, given = fields["inventory"]
        for name in given.items if isinstance(given, Items) else (given,):
            yield from _inventory(name, plan, problems, wave)


def _inventory(name: Node, plan: Path, problems: Problems, wave: str | None) -> Iterator[_Wanted]:
    if not isinstance(name, Text) or name.value is None:
        problems.add(name.place, "inventory: is the name of a file")
        return
    path = Path(os.path.normpath(plan.parent / name.value))
    try:
        rows = read(path)
    except PlanError as error:
        problems.refer(name.place, error)
        return
    for row in _items(rows, problems):
        if not isinstance(row, Fields):
            settings(row, GUEST_KEYS, problems)
            continue
        told = tuple(pair for pair in row.pairs if pair[0].value not in _LISTED)
        yield _Wanted(
            row.place, settings(Fields(row.place, told), GUEST_KEYS, problems, known=_LISTED), wave
        )


def _entries(
    reader: Reader, defaults: Settings, wanted: Iterable[_Wanted], waves: Sequence[str]
) -> tuple[Entry, ...]:
    """Return all guests; no two of them have one name."""
    found: dict[str, Entry] = {}
    for each in wanted:
        if waves and "wave" in each.settings:
            reader.problems.add(
                each.settings["wave"][0],
                "wave: the plan has a list of waves",
                "put the guest into one of them",
            )
        for entry in reader.entries(each.place, merged(defaults, each.settings), each.wave):
            other = found.setdefault(entry.name, entry)
            if other is not entry:
                same = " for the same target" if other.target == entry.target else ""
                reader.problems.add(
                    each.place,
                    f"there is a guest {entry.name}{same} already, at {other.place}",
                    "give one of them another output_name",
                )
    return tuple(found.values())


def _named(entries: Sequence[Entry], waves: Mapping[str, bool], *, stop: bool) -> tuple[Wave, ...]:
    """Return the waves in their order; guests in no list of waves have numbers."""
    numbers = sorted({int(entry.wave) for entry in entries if entry.wave not in waves})
    return (
        *(Wave(str(number), stop) for number in numbers),
        *(Wave(name, stops) for name, stops in waves.items()),
    )


def _items(node: Node, problems: Problems) -> tuple[Node, ...]:
    if isinstance(node, Items):
        return node.items
    if not (isinstance(node, Text) and node.value is None):
        problems.add(node.place, "must be a list")
    return ()


def _truth(fields: Settings, key: str, problems: Problems, *, default: bool = False) -> bool:
    if key not in fields:
        return default
    _, node = fields[key]
    try:
        return truth(node)
    except ValueError as error:
        problems.add(node.place, f"{key}: {error}")
        return default


def _number(fields: Settings, key: str, problems: Problems, *, least: int = 1) -> int | None:
    if key not in fields:
        return None
    _, node = fields[key]
    try:
        return number(node, least)
    except ValueError as error:
        problems.add(node.place, f"{key}: {error}")
        return None


def _target(folder: Path, name: str) -> str:
    """Return a target by the name that it has in a plan: a folder, or as Entry has others."""
    return name if ":" in name or name == _OTHERS else os.path.normpath(folder / name)


def _limit(
    fields: Settings, key: str, problems: Problems, meaning: Callable[[str], str] = str
) -> Limit:
    """Return a limit: a number for all, or numbers by names, ``others`` for those not named."""
    if key not in fields:
        return Limit()
    _, node = fields[key]
    if not isinstance(node, Fields):
        return Limit(_number(fields, key, problems))
    named = {
        meaning(name.value or ""): number
        for name, value in node.pairs
        if (number := _number({name.value or "": (name.place, value)}, name.value or "", problems))
    }
    return Limit(named.pop(_OTHERS, None), named)
