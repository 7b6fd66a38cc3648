# SPDX-License-Identifier: LGPL-2.1-or-later
"""The boot proof: a domain is started on throw-away overlays and watched until it lives or dies.

domain.xml - domain, devices -> Hardware - qemu, slots, firmware -> command line
  running guest - watch (qmp, screen, pcap, causes) -> Look - verdict -> Evidence
"""

from v2v.proof.boot import verify
from v2v.proof.evidence import Cause, Evidence, Level, Reason, Sign, describe, evidence_json

__all__ = [
    "verify",
    "Evidence",
    "Level",
    "Sign",
    "Cause",
    "Reason",
    "describe",
    "evidence_json",
]
