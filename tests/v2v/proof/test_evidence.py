# SPDX-License-Identifier: LGPL-2.1-or-later
"""Evidence as text and as JSON."""

from __future__ import annotations

import json

from v2v.errors import Finding
from v2v.proof import Cause, Evidence, Level, Reason, Sign, describe, evidence_json

LIVING = Evidence(
    *("web", True, Level.login, 46.2, "tcg"),
    signs=(Sign(Level.writes, "disks are written to", 37.5), Sign(Level.login, "web login:", 45.8)),
    console=("web login:",),
    warnings=(Finding("W-KVM", "no KVM", "use it"),),
)
DEAD = Evidence(
    *("web", False, Level.nothing, 64.3, "kvm"),
    cause=Cause(Reason.no_root, "ALERT! /dev/xvda1 does not exist.", "compare root="),
    console=("Gave up waiting", "(initramfs)"),
)


def test_a_living_guest_is_described_by_its_signs() -> None:
    assert describe(LIVING) == (
        "web: boots (user space is up; 46 s with tcg)\n"
        "   37.5 s  writes   disks are written to\n"
        "   45.8 s  login    web login:\n"
        "  warning: no KVM [W-KVM]\n"
    )


def test_a_dead_guest_is_described_by_cause_and_last_words() -> None:
    assert describe(DEAD) == (
        "web: does not boot (nothing was seen; 64 s with kvm)\n"
        "  cause: no root: ALERT! /dev/xvda1 does not exist.\n"
        "  next: compare root=\n"
        "  last lines of the console:\n"
        "    | Gave up waiting\n"
        "    | (initramfs)\n"
    )


def test_json_has_all_of_it() -> None:
    found = json.loads(json.dumps(evidence_json(DEAD)))
    assert found["schema"] == 1
    assert found["cause"] == {
        "reason": "no_root",
        "said": "ALERT! /dev/xvda1 does not exist.",
        "advice": "compare root=",
    }
    assert (found["booted"], found["level"], found["screen"]) == (False, "nothing", [])
    assert json.loads(json.dumps(evidence_json(LIVING)))["signs"][1] == {
        "level": "login",
        "text": "web login:",
        "seconds": 45.8,
    }
