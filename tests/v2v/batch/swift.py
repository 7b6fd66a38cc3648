# SPDX-License-Identifier: LGPL-2.1-or-later
"""v2v.batch.worker without an appliance: sources, overlays, copies and results are real.

Its conversion is to write PATTERN at PLACE into each disk. SWIFT_SECONDS says how long it looks
into a guest.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from v2v import pipeline
from v2v.batch.worker import main
from v2v.cancellation import check
from v2v.changes import Plan
from v2v.model import Capabilities, Firmware, Guest, OsType
from v2v.run import run

PATTERN, PLACE, LENGTH = 0x55, 4 << 20, 64 << 10
_GUEST = Guest(
    OsType.linux, "none", "1", "No system", "x86_64", Firmware.bios, "/dev/sda1", {"/": "/dev/sda1"}
)


@contextmanager
def _session(
    overlays: Sequence[Path], found: object, *, writable: bool
) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(overlays=overlays, calls=0)


def _look(*given: object) -> tuple[Guest, Plan, None]:
    for _ in range(int(float(os.environ.get("SWIFT_SECONDS", "0.05")) / 0.05)):
        time.sleep(0.05)
        check()
    return _GUEST, Plan((), (), (), Capabilities()), None


def _change(session: SimpleNamespace, *given: object) -> None:
    for overlay in session.overlays:
        command = f"write -q -P {PATTERN} {PLACE} {LENGTH}"
        run("qemu-io", "-f", "qcow2", "-c", command, overlay)


if __name__ == "__main__":
    for stage in (_session, _look, _change):
        setattr(pipeline, stage.__name__, stage)
    sys.exit(main())
