# SPDX-License-Identifier: LGPL-2.1-or-later
"""The names of the result: which are refused, and which files they make."""

from __future__ import annotations

import re
from pathlib import Path

from v2v.devices import drive_letters
from v2v.errors import TargetError
from v2v.model import DiskFormat

MAX_NAME = 200  # bytes; a file name has 255, and the longest of ours adds 20 to the name
# Control characters, and what else XML 1.0 section 2.2 does not allow in a document.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def prints(text: str) -> bool:
    """Tell whether a text can stand in XML and on one line."""
    return _FORBIDDEN.search(text) is None


def check_name(name: str) -> str:
    """Return the name if it can be a domain's and the start of file names.

    libvirt refuses ``/`` and newlines in a domain name (virDomainDefPostParseCheckFeatures and
    its RELAX NG schema); a leading ``-`` would be an option to every program that is given it.
    Raises TargetError.
    """
    fault = _fault(name)
    if fault is not None:
        raise TargetError(
            "E-NAME", f"guest name {name!a}: {fault}", hint="choose another name with -on NAME"
        )
    return name


def _fault(name: str) -> str | None:
    if not name.strip():
        return "it is empty"
    if "/" in name:
        return "it holds a /"
    if not prints(name):
        return "it holds a line break or another character that does not print"
    if name.startswith("-"):
        return "it starts with -"
    if not name.strip("."):
        return "it is nothing but dots"
    if len(name.encode()) > MAX_NAME:
        return f"it is longer than {MAX_NAME} bytes"
    return None


def disk_path(folder: Path, name: str, index: int, format: DiskFormat) -> Path:
    """Return the path of an image: NAME-sda.qcow2, whatever bus it will hang on."""
    return folder / f"{name}-sd{drive_letters(index)}.{format}"


def definition_path(folder: Path, name: str) -> Path:
    """Return the path of the libvirt domain XML."""
    return folder / f"{name}.xml"


def script_path(folder: Path, name: str) -> Path:
    """Return the path of the script that starts the guest."""
    return folder / f"{name}.sh"


def report_path(folder: Path, name: str) -> Path:
    """Return the path of the JSON report."""
    return folder / f"{name}.report.json"
