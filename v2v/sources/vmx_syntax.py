# SPDX-License-Identifier: LGPL-2.1-or-later
"""The dictionary that a VMX file is: ``key = "value"``, a pair a line.

Keys have no case. ``|22`` in a value stands for the byte 0x22. ``.encoding`` names the encoding of
the file. Values without quotes and blanks before keys are accepted: packaging tools write them.
Of a key that is there twice the first one counts. ``X.present = "FALSE"`` takes away X and, as
VMware does it, also the devices of controller X.
"""

from __future__ import annotations

import codecs
import re
from typing import Never

from v2v.errors import Finding, SourceError
from v2v.sources import image_content
from v2v.vmware_encodings import codec

_LINE = re.compile(r"(?P<key>[^\s=\"]+)\s*=\s*(?:\"(?P<quoted>.*)\"|(?P<bare>[^\"]*))")
_COMMENT = re.compile(r"(\"[^\"]*\")\s*#.*")
_ESCAPES = re.compile(r"(?:\|[0-9a-fA-F]{2})+")
_ENCODING = re.compile(rb"^\s*\.?encoding\s*=\s*\"?([\w.:-]+)", re.IGNORECASE | re.MULTILINE)
_TOLD = 20  # odd lines, each by itself
_TRUE = frozenset(("true", "yes", "on", "1", "t", "y"))
_FALSE = frozenset(("false", "no", "off", "0", "f", "n"))


class Dictionary:
    """The settings of a VMX file, keys in lower case."""

    def __init__(self, where: str, values: dict[str, str]) -> None:
        self.where = where
        self.values = values

    def text(self, key: str) -> str | None:
        """Return a value without the blanks around it, None if there is nothing."""
        return (self.values.get(key.lower()) or "").strip() or None

    def number(self, key: str) -> int | None:
        text = self.text(key)
        if text is None:
            return None
        if re.fullmatch(r"[+-]?[0-9]{1,20}", text, re.ASCII) is None:
            self.refuse(key, f"{text!r} is not a number")
        return int(text)

    def flag(self, key: str) -> bool | None:
        """Return a boolean, None for what is not one."""
        text = (self.text(key) or "").lower()
        return True if text in _TRUE else False if text in _FALSE else None

    def numbers_of(self, kind: str) -> tuple[str, ...]:
        """Return the devices of a kind in the order of their numbers: scsi0:1, scsi0:10, scsi1:0.

        Only names at the beginning of a key count: sched.scsi0:0.shares is not a disk.
        """
        pattern = re.compile(rf"({kind}([0-9]{{1,3}})(?::([0-9]{{1,3}}))?)\.", re.ASCII)
        found = {
            match[1]: (int(match[2]), int(match[3] or -1))
            for match in map(pattern.match, self.values)
            if match is not None
        }
        return tuple(sorted(found, key=found.__getitem__))

    def refuse(self, key: str, what: str) -> Never:
        raise SourceError("E-VMX-VALUE", f"{self.where}: {key}: {what}")


def parse(data: bytes, where: str) -> tuple[Dictionary, tuple[Finding, ...]]:
    """Return the settings of a VMX file and what is wrong with it. Raises SourceError."""
    _refuse_other_files(data, where)
    encoding, warnings = _encoding(data, where)
    text = _decoded(data, encoding, where, warnings)
    values: dict[str, str] = {}
    odd: list[Finding] = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        pair = _LINE.fullmatch(_COMMENT.sub(r"\1", line))
        if pair is None:
            message = f"{where}: line {number} is not key = value: {line[:60]!r}"
            odd.append(Finding("W-VMX-LINE", message))
            continue
        key = pair["key"].lower()
        if key in values:
            message = f"{where}: line {number}: {pair['key']} is given twice, the first one counts"
            odd.append(Finding("W-SOURCE-DUPLICATE", message))
            continue
        values[key] = _unescaped(pair["quoted"] or pair["bare"] or "", encoding)
    if not values:
        raise SourceError("E-VMX-SYNTAX", f"{where}: not a VMX file: no line is key = value")
    if len(odd) > _TOLD:
        message = f"{where}: {len(odd) - _TOLD:,} more lines are odd in the same ways"
        odd[_TOLD:] = [Finding("W-VMX-LINE", message)]
    return Dictionary(where, values), (*warnings, *odd)


def _refuse_other_files(data: bytes, where: str) -> None:
    if image_content.is_vmdk(data):
        raise SourceError(
            "E-VMX-IS-VMDK",
            f"{where}: is a VMDK disk, not a VMX file",
            hint="name the .vmx beside it, or pass -i disk to convert the disk alone",
        )
    if b"\0" in data:
        raise SourceError("E-VMX-SYNTAX", f"{where}: not a VMX file: it is binary")


def _encoding(data: bytes, where: str) -> tuple[str, list[Finding]]:
    """Return Python's name of the encoding that the file names, and UTF-8 where it names none."""
    found = _ENCODING.search(data)
    if found is None:
        return "utf-8", []
    given = found[1].decode("ascii", errors="replace")
    name = codec(given)
    if name is not None:
        return name, []
    message = f"{where}: unknown encoding {given!r}, read as UTF-8"
    return "utf-8", [Finding("W-VMX-ENCODING", message)]


def _decoded(data: bytes, encoding: str, where: str, warnings: list[Finding]) -> str:
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{where}: line {line} is not {encoding}, read as Latin-1"
        warnings.append(Finding("W-VMX-ENCODING", message))
        return data.decode("latin-1")


def _unescaped(value: str, encoding: str) -> str:
    """Return a value with its escapes replaced; a run of them can be one character's bytes."""

    def replace(run: re.Match[str]) -> str:
        return bytes.fromhex(run[0].replace("|", "")).decode(encoding, errors="replace")

    return _ESCAPES.sub(replace, value)
