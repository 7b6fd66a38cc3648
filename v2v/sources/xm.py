# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of Xen as xm(1) of Xen 3 and Oracle VM Server (vm.cfg) describe them.

Such a file is a Python program. What most of them are, assignments of values, is read; nothing is
ever run. What stays unknown that way (``arch = os.uname()[4]``) is an error only where the guest
depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from v2v.model import Machine
from v2v.sources import config_file, xl, xm_syntax

name = "xm"
about = "a Python configuration of xm or Oracle VM, a Xen guest"


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is Python that xl would not take."""
    return xl.looks_like_xen(head) and xm_syntax.is_python_only(config_file.decode(head))


def read(paths: Sequence[Path]) -> Machine:
    """Return the guest of one configuration file. Raises SourceError."""
    (path,) = paths
    return parse(config_file.decode(config_file.content(path)), path)


def parse(text: str, path: Path) -> Machine:
    """Return the guest that a configuration describes; ``path`` says where it lies."""
    return xl.machine(xm_syntax.parse(text, str(path)), path, name)
