# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether KVM works on this machine, found out by using it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from v2v.errors import CommandError, Finding
from v2v.run import run

QEMU = "qemu-system-x86_64"
NO_KVM = Finding(
    "W-KVM",
    "this machine has no usable KVM, so guests are emulated, which takes several times as long",
    hint="run v2v where /dev/kvm works: a physical machine, or a virtual one with nested "
    "virtualization",
)
# QEMU makes a virtual CPU with KVM, and is told to end.
TRIAL = (
    *(QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-S"),
    *("-machine", "q35,accel=kvm", "-cpu", "host", "-qmp", "stdio"),
)
TOLD = ('{"execute": "qmp_capabilities"}', '{"execute": "quit"}')
_DEVICE = Path("/dev/kvm")


@cache
def kvm_works() -> bool:
    """Tell whether QEMU can make a virtual CPU with KVM; tried once for the process.

    /dev/kvm may be there and open and QEMU may still abort at the first vCPU ("failed to set MSR
    0x10a" where nested virtualization is incomplete), after its greeting; so only a clean exit
    counts. Raises MissingProgram.
    """
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return False
    try:
        run(*TRIAL, text="".join(f"{command}\n" for command in TOLD))
    except CommandError:
        return False
    return True
