# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a boot proof found out: signs of life with their time, or the cause of death."""

from __future__ import annotations

import base64
import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum, auto

from v2v.errors import Finding


class Level(StrEnum):
    """How far a guest has shown to have come; strongest first."""

    agent = auto()  # the guest agent answers
    login = auto()  # a login prompt, or systemd's last targets
    network = auto()  # DHCP or other traffic that user space causes
    writes = auto()  # a disk was written to
    screen = auto()  # the kernel speaks, or the screen is in graphics mode
    nothing = auto()


class Reason(StrEnum):
    """Why a guest did not come up, as far as it can be read."""

    no_boot_device = auto()  # the firmware found nothing to start
    boot_loader = auto()  # a boot loader started and stopped: GRUB, BOOTMGR, ...
    secure_boot = auto()  # the firmware refused what is not signed
    no_root = auto()  # the initramfs waits in vain for the root device
    no_driver = auto()  # Windows cannot reach its boot device (0x7B)
    panic = auto()
    maintenance = auto()  # systemd's emergency or rescue mode
    reboot_loop = auto()
    powered_off = auto()
    timeout = auto()  # nothing known, but the time is over


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the guest did not come up."""

    reason: Reason
    said: str  # the line that tells, or what was counted
    advice: str  # what to look at next


@dataclass(frozen=True, slots=True)
class Sign:
    """A piece of evidence and the second after power-on at which it was seen."""

    level: Level
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """The result of a boot proof."""

    name: str  # of the domain
    booted: bool
    level: Level  # of the strongest sign
    seconds: float  # from power-on to the verdict
    accel: str  # kvm or tcg
    signs: tuple[Sign, ...] = ()  # in the order in which they were seen
    cause: Cause | None = None  # None if and only if booted
    console: tuple[str, ...] = ()  # the last lines of the guest's consoles
    screen: tuple[str, ...] = ()  # the last lines of text on its screen
    screenshot: bytes = field(default=b"", repr=False)  # PNG; empty: it has no screen
    warnings: tuple[Finding, ...] = ()


_MEANING = {
    Level.agent: "the guest agent answers",
    Level.login: "user space is up",
    Level.network: "the network is in use",
    Level.writes: "disks are written to",
    Level.screen: "the kernel or a graphical screen was seen",
    Level.nothing: "nothing was seen",
}


def describe(evidence: Evidence) -> str:
    """Return the evidence as a few plain lines, with a newline at the end."""
    verdict = "boots" if evidence.booted else "does not boot"
    lines = [
        f"{evidence.name}: {verdict} ({_MEANING[evidence.level]}; "
        f"{evidence.seconds:.0f} s with {evidence.accel})"
    ]
    lines += [f"  {sign.seconds:5.1f} s  {sign.level:8} {sign.text}" for sign in evidence.signs]
    if evidence.cause is not None:
        reason = evidence.cause.reason.replace("_", " ")
        lines += [f"  cause: {reason}: {evidence.cause.said}", f"  next: {evidence.cause.advice}"]
        lines += _quoted("console", evidence.console) + _quoted("screen", evidence.screen)
    for finding in evidence.warnings:
        lines.append(f"  warning: {finding.message} [{finding.code}]")
    return "\n".join(lines) + "\n"


def _quoted(title: str, text: tuple[str, ...]) -> list[str]:
    return [f"  last lines of the {title}:", *(f"    | {line}" for line in text)] if text else []


def evidence_json(evidence: Evidence) -> dict[str, object]:
    """Return the evidence as what the json module takes; docs/report.md has its keys."""
    screenshot = base64.b64encode(evidence.screenshot).decode()
    return {"schema": 1, **dataclasses.asdict(evidence), "screenshot": screenshot or None}
