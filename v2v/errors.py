# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can go wrong, as one tree.

V2VError
 + SourceError      the configuration or a disk of the source cannot be used
 + GuestError       the guest's disks cannot be opened, mounted or understood
 + TargetError      the place or the form of the result is refused
 + ProofError       a domain cannot be put to the boot proof at all
 + CommandError     a program that was run failed
 + MissingProgram   a program that is needed is not installed
 + ConfigError      wrong options (exit status 2)
    + PlanError     a wrong plan of a batch or v2v.yaml; carries all that is wrong
 + BlockedError     a plan has blockers; carries all of them
 + CancelledError   the caller asked for the end

Every error has a stable code; docs/messages.md lists each with its cause and what to do next.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the user should know: a warning (code W-...) or a blocker (code E-...)."""

    code: str
    message: str  # names the object, then the fact; lower case, no full stop
    hint: str | None = None  # what to do about it


class V2VError(Exception):
    """A failure that is the user's to see: a code, a sentence and, if there is one, a way out."""

    def __init__(self, code: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.finding = Finding(code, message, hint)


class SourceError(V2VError):
    """The configuration or a disk of the source cannot be used."""


class GuestError(V2VError):
    """The guest's disks cannot be opened, mounted or understood."""


class DriverError(V2VError):
    """A medium with drivers for Windows cannot be read."""


class TargetError(V2VError):
    """The place or the form of the result is refused."""


class ProofError(V2VError):
    """A domain cannot be put to the boot proof at all (a guest that does not boot is no error)."""


class ConfigError(V2VError):
    """Wrong options."""


class PlanError(ConfigError):
    """A plan of a batch, or a v2v.yaml, is wrong. ``findings`` has all that is."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        first = self.findings[0]
        super().__init__(first.code, first.message, hint=first.hint)


class CommandError(V2VError):
    """A program failed: its command line, exit status and the end of what it said."""

    def __init__(self, argv: Iterable[str], status: int, stderr: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.stderr = stderr
        said = stderr.strip().splitlines()
        tail = said[-1] if said else "no message"
        super().__init__(
            "E-COMMAND",
            f"{self.argv[0]}: exit status {status}: {tail}",
            hint=f"the command was: {shlex.join(self.argv)}",
        )


class MissingProgram(V2VError):
    """A program that is needed is not installed."""

    def __init__(self, program: str, package: str | None = None) -> None:
        super().__init__(
            "E-PROGRAM",
            f"{program}: program not found",
            hint=f"apt-get install {package or program}",
        )


class BlockedError(V2VError):
    """A plan has blockers, so nothing was begun. ``findings`` holds all of them."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        first = self.findings[0]
        super().__init__(first.code, first.message, hint=first.hint)


class CancelledError(V2VError):
    """The work was ended as the caller asked; nothing of it is left."""

    def __init__(self) -> None:
        super().__init__("E-CANCELLED", "ended as was asked for; nothing is left behind")
