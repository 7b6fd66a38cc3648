# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long conversions take on this host, by those that were made, to tell it before the next."""

from __future__ import annotations

import json
import logging
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_KEPT = 100  # conversions; what is older says less


@dataclass(frozen=True, slots=True)
class Rates:
    """What conversions took."""

    conversions: int
    beside: float  # seconds for all but the copy: the median
    bytes_per_second: float  # of the copy

    def seconds(self, copied: int) -> float:
        """Return what a conversion takes that copies so many bytes."""
        return self.beside + copied / self.bytes_per_second


@dataclass(frozen=True, slots=True)
class _Sample:
    beside: float  # seconds
    copying: float  # seconds
    copied: int  # bytes


def known_rates() -> Rates | None:
    """Return the rates; None if nothing was converted yet."""
    samples = _samples(_file())
    copied, copying = sum(s.copied for s in samples), sum(s.copying for s in samples)
    if not copied or not copying:
        return None
    return Rates(len(samples), statistics.median(s.beside for s in samples), copied / copying)


def add_rates(report: Path, copied: int) -> None:
    """Note what a conversion took, by its report."""
    timing = json.loads(report.read_bytes())["timing"]
    copying = timing.pop("copy", 0.0)
    file = _file()
    samples = [*_samples(file), _Sample(round(sum(timing.values()), 1), copying, copied)]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        growing = file.with_name(f".{file.name}.{os.getpid()}")
        growing.write_text(json.dumps([asdict(sample) for sample in samples[-_KEPT:]]))
        growing.rename(file)
    except OSError as error:  # estimates are a comfort
        log.debug("rates: %s", error)


def _file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state, "v2v", "rates.json")


def _samples(file: Path) -> Sequence[_Sample]:
    try:
        return [_Sample(**sample) for sample in json.loads(file.read_bytes())]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError) as error:  # it will be written anew
        log.debug("rates: %s", error)
        return ()
