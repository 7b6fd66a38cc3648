# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks into unified kernel images: a kernel, its initramfs and its arguments in one EFI program.

The parts are sections of a PE file (uapi-group.org, UAPI.5; the header is Microsoft's PE format).
Such images are signed, so they are never changed.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_PE_POINTER = 0x3C
_COFF = struct.Struct("<4sHHIIIHH")  # signature, machine, sections, ..., size of the next header
_SECTION = struct.Struct("<8sIIII")
_SECTION_STEP = 40
_MAX_SECTIONS = 96  # the PE loader's own limit
_OS_RELEASE = re.compile(r"^(?P<key>[A-Z_]+)=[\"']?(?P<value>[^\n\"']*)", re.MULTILINE)


class UkiError(ValueError):
    """An EFI program is no unified kernel image."""


@dataclass(frozen=True, slots=True)
class Uki:
    """The parts of a unified kernel image that tell what it boots."""

    cmdline: str
    uname: str  # the kernel's version; empty if it is not said
    os_release: dict[str, str]
    initrd: bytes


def sections(data: bytes) -> dict[str, bytes]:
    """Return the sections of a PE file by name, of several with one name the first."""
    start = int.from_bytes(data[_PE_POINTER : _PE_POINTER + 4], "little")
    if not data.startswith(b"MZ") or len(data) < start + _COFF.size:
        return {}
    signature, _, count, _, _, _, optional, _ = _COFF.unpack_from(data, start)
    found: dict[str, bytes] = {}
    if signature != b"PE\0\0":
        return found
    table = start + _COFF.size + optional
    for at in range(table, table + _SECTION_STEP * min(count, _MAX_SECTIONS), _SECTION_STEP):
        if len(data) < at + _SECTION_STEP:
            break
        name, used, _, stored, offset = _SECTION.unpack_from(data, at)
        text = name.rstrip(b"\0").decode(errors="replace")
        found.setdefault(text, data[offset : offset + min(used, stored)])
    return found


def parse(data: bytes) -> Uki:
    """Return what a unified kernel image holds. Raises UkiError."""
    parts = sections(data)
    if ".linux" not in parts:
        raise UkiError("it holds no kernel")

    def text(name: str) -> str:
        return parts.get(name, b"").rstrip(b"\0\n").decode(errors="replace").strip()

    released = {match["key"]: match["value"] for match in _OS_RELEASE.finditer(text(".osrel"))}
    return Uki(text(".cmdline"), text(".uname"), released, parts.get(".initrd", b""))
