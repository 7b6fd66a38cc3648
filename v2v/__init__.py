# SPDX-License-Identifier: LGPL-2.1-or-later
"""Converts virtual machines from Xen and VMware to KVM, and proves that they boot.

    machine = v2v.open("web.cfg")
    report = v2v.plan("web.cfg")
    report = v2v.convert("web.cfg", v2v.Options(storage=folder))
    evidence = v2v.verify(folder / "web.xml")

Nothing here prints, installs handlers or ends the process. Progress goes to an Observer, failures
are V2VError. The stages are imported at their first use, as they bring libguestfs with them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from v2v.errors import (
    BlockedError,
    CancelledError,
    CommandError,
    ConfigError,
    Finding,
    GuestError,
    MissingProgram,
    ProofError,
    SourceError,
    TargetError,
    V2VError,
)
from v2v.version import VERSION as __version__

if TYPE_CHECKING:
    from v2v.cancellation import Cancellation
    from v2v.finishing import finish
    from v2v.model import Guest, Machine
    from v2v.observer import Copied, Event, Failed, Observer, Stage, Warned
    from v2v.options import Options
    from v2v.pipeline import convert, open, plan
    from v2v.proof import Evidence, verify
    from v2v.report import Report

_HOMES = {
    "Cancellation": "v2v.cancellation",
    "Copied": "v2v.observer",
    "Evidence": "v2v.proof",
    "Event": "v2v.observer",
    "Failed": "v2v.observer",
    "Guest": "v2v.model",
    "Machine": "v2v.model",
    "Observer": "v2v.observer",
    "Options": "v2v.options",
    "Report": "v2v.report",
    "Stage": "v2v.observer",
    "Warned": "v2v.observer",
    "convert": "v2v.pipeline",
    "finish": "v2v.finishing",
    "open": "v2v.pipeline",
    "plan": "v2v.pipeline",
    "verify": "v2v.proof",
}
__all__ = [
    "open", "plan", "convert", "finish", "verify",
    "Options", "Machine", "Guest", "Report", "Evidence", "Finding",
    "Observer", "Event", "Stage", "Warned", "Failed", "Copied", "Cancellation",
    "V2VError", "SourceError", "GuestError", "TargetError", "ProofError", "CommandError",
    "MissingProgram", "ConfigError", "BlockedError", "CancelledError",
    "__version__",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'v2v' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
