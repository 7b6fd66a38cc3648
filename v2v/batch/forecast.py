# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a batch will take, by the reports of its dry run: room on each file system, and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from v2v.batch.rates import Rates
from v2v.disks.space import free_bytes
from v2v.errors import Finding
from v2v.units import iec, lasting


@dataclass(frozen=True, slots=True)
class Need:
    """What a guest takes."""

    wave: str
    target: str
    needed: int  # bytes
    is_local: bool  # the target is a folder of this host


@dataclass(frozen=True, slots=True)
class Room:
    """The room that is needed and free in one place: a file system, or a storage elsewhere."""

    targets: tuple[str, ...]
    needed_bytes: int
    free_bytes: int | None  # None: it is not on this host, or a folder that is not there yet


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a batch will take."""

    rooms: tuple[Room, ...]
    rates: Rates | None  # by which time is told
    seconds: float | None

    def findings(self) -> tuple[Finding, ...]:
        """Return a blocker for each place with too little room for all guests together."""
        return tuple(
            Finding(
                "E-TARGET-SPACE",
                f"{', '.join(room.targets)}: {iec(room.needed_bytes)} are needed for all guests,"
                f" {iec(room.free_bytes)} are free",
                "make room, or send some of them to another output_storage",
            )
            for room in self.rooms
            if room.free_bytes is not None and room.free_bytes < room.needed_bytes
        )

    def to_json(self) -> dict[str, object]:
        """Return the forecast as what the json module takes."""
        return {
            "targets": [asdict(room) for room in self.rooms],
            "seconds": self.seconds,
            "rates": self.rates and asdict(self.rates),
        }

    def to_text(self) -> Iterator[str]:
        """Yield lines for people."""
        for room in self.rooms:
            free = "" if room.free_bytes is None else f", {iec(room.free_bytes)} free"
            yield f"room in {', '.join(room.targets)}: up to {iec(room.needed_bytes)} needed{free}"
        if self.seconds is None or self.rates is None:
            yield "time: nothing was converted by a batch on this host yet, so there are no rates"
        else:
            yield (
                f"time: about {lasting(self.seconds)}, going by {self.rates.conversions} earlier"
                f" conversions: {self.rates.beside:.0f} s each, and a copy of"
                f" {iec(round(self.rates.bytes_per_second))} a second"
            )


def forecast(needs: Sequence[Need], jobs: int, rates: Rates | None) -> Forecast:
    """Return what guests take together, so many at a time. Raises TargetError."""
    seconds = None if rates is None else _seconds(needs, jobs, rates)
    return Forecast(tuple(_rooms(needs)), rates, seconds)


def _rooms(needs: Sequence[Need]) -> Iterator[Room]:
    """Yield the places; folders of one file system are one."""
    places: dict[int | str, list[Need]] = {}
    for need in needs:
        path = Path(need.target)
        here = need.is_local and path.exists()
        place: int | str = path.stat().st_dev if here else need.target
        places.setdefault(place, []).append(need)
    for place, together in places.items():
        targets = tuple(dict.fromkeys(need.target for need in together))
        free = free_bytes(Path(targets[0])) if isinstance(place, int) else None
        yield Room(targets, sum(need.needed for need in together), free)


def _seconds(needs: Sequence[Need], jobs: int, rates: Rates) -> float:
    """Return the time of all waves; each takes its longest guest, or its share of all of them."""
    waves: dict[str, list[float]] = {}
    for need in needs:
        waves.setdefault(need.wave, []).append(rates.seconds(need.needed))
    return round(sum(max(max(each), sum(each) / jobs) for each in waves.values()), 1)
