# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads INF files: which devices a Windows driver is for, on which Windows, and what it installs.

Microsoft's documentation: "General Syntax Rules for INF Files", "INF Manufacturer Section", "INF
Models Section", "Combining Platform Extensions with Operating System Versions", "INF AddService
Directive". Whatever the file holds, reading it raises nothing: what is not understood is left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from v2v.windows_guest import Windows

_ARCHITECTURES = {"x86": "i686", "amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l"}
_SUFFIXES = {arch: (f".nt{name}",) for name, arch in _ARCHITECTURES.items()}
_DECORATION = re.compile(r"nt(?P<arch>x86|amd64|arm64|arm|ia64)?(?P<rest>(\.[0-9a-fx]*)*)")
_PIECE = re.compile(r'"(?:[^"]|"")*"|[^,"]+|,')
_TOKEN = re.compile(r"%([^%]*)%")
_WORKSTATION = 1  # product types; 2 is a domain controller and 3 another server


@dataclass(frozen=True, slots=True)
class Target:
    """A decoration of a models section: the Windows that it is for."""

    arch: str | None  # None: any
    nt: tuple[int, int] = (0, 0)  # at least
    product_type: int | None = None
    build: int = 0  # at least

    def fits(self, windows: Windows, arch: str) -> bool:
        if self.arch not in (None, arch) or self.nt > windows.nt:
            return False
        if self.nt == windows.nt and self.build > windows.build:
            return False
        return self.product_type is None or (self.product_type == _WORKSTATION) != windows.server


@dataclass(frozen=True, slots=True)
class Model:
    """A device that a driver is for."""

    install: str  # name of the section that installs it
    hardware_ids: tuple[str, ...]  # as in the file, in upper case
    target: Target


@dataclass(frozen=True, slots=True)
class Service:
    """The service that a driver installs."""

    name: str
    binary: str  # file name, in lower case
    start: int
    group: str


class Inf:
    """An INF file."""

    def __init__(self, data: bytes) -> None:
        self._sections: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        section: list[tuple[str, tuple[str, ...]]] = []
        for line in _lines(_text(data)):
            if line.startswith("["):
                name = line[1:].partition("]")[0].strip().strip('"').lower()
                section = self._sections.setdefault(name, [])
                continue
            key, found, rest = _key(line)
            section.append((key.lower(), _values(rest) if found else _values(line)))
        self._strings = {
            key: values[0] for key, values in self._sections.get("strings", ()) if values
        }

    def entries(self, section: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the key and the values of each line of a section; a line without = has key ""."""
        for key, values in self._sections.get(section.lower(), ()):
            yield key, tuple(map(self._replaced, values))

    def value(self, section: str, key: str) -> str | None:
        """Return the first value of a key, None if it is absent or empty."""
        found = (values for name, values in self.entries(section) if name == key.lower())
        return next((values[0] for values in found if values), None)

    @property
    def class_guid(self) -> str:
        return (self.value("Version", "ClassGuid") or "").lower()

    @property
    def version(self) -> str:
        """The version in DriverVer, behind its date."""
        found = (values for key, values in self.entries("Version") if key == "driverver")
        return next((values[1] for values in found if len(values) > 1), "")

    @property
    def catalogs(self) -> tuple[str, ...]:
        """The catalog files with the signatures, in lower case."""
        return tuple(
            values[0].lower()
            for key, values in self.entries("Version")
            if key.startswith("catalogfile") and values
        )

    def models(self) -> Iterator[Model]:
        """Yield the devices of all makers."""
        for _, (name, *decorations) in (
            entry for entry in self.entries("Manufacturer") if entry[1]
        ):
            for decoration in ("", *decorations):
                target = _target(decoration)
                if target is not None:
                    section = f"{name}.{decoration}" if decoration else name
                    yield from self._models(section, target)

    def _models(self, section: str, target: Target) -> Iterator[Model]:
        for _, values in self.entries(section):
            if len(values) > 1:
                yield Model(values[0], tuple(word.upper() for word in values[1:] if word), target)

    def service(self, model: Model) -> Service | None:
        """Return the service of a device's driver, the one that is its function driver."""
        for suffix in (*_SUFFIXES.get(model.target.arch or "", ()), ".nt", ""):
            for key, values in self.entries(f"{model.install}{suffix}.services"):
                if key == "addservice" and len(values) > 2 and _number(values[1]) & 2:
                    return self._service(values[0], values[2])
        return None

    def _service(self, name: str, section: str) -> Service:
        binary = (self.value(section, "ServiceBinary") or "").replace("/", "\\")
        return Service(
            name,
            binary.rpartition("\\")[2].lower(),
            _number(self.value(section, "StartType") or "3"),
            self.value(section, "LoadOrderGroup") or "",
        )

    def files(self) -> frozenset[str]:
        """Return the names of all files that the driver consists of, in lower case."""
        listed = {
            key
            for section in self._sections
            if section.split(".")[0] == "sourcedisksfiles"
            for key, _ in self.entries(section)
            if key
        }
        return frozenset((*listed, *self.catalogs))

    def _replaced(self, value: str) -> str:
        return _TOKEN.sub(lambda match: self._strings.get(match[1].lower(), match[0]), value)


def _text(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _lines(text: str) -> Iterator[str]:
    """Yield lines without comments, put together where they are continued."""
    begun = ""
    for line in text.splitlines():
        line = begun + _uncommented(line).strip()
        begun = ""
        if line.endswith("\\") and not line.startswith("["):
            begun = line[:-1]
        elif line:
            yield line
    if begun:
        yield begun


def _uncommented(line: str) -> str:
    quoted = False
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            return line[:at]
    return line


def _key(line: str) -> tuple[str, bool, str]:
    quoted = False
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == "=" and not quoted:
            return line[:at].strip().strip('"').strip("%"), True, line[at + 1 :]
    return "", False, ""


def _values(text: str) -> tuple[str, ...]:
    values = [""]
    for piece in _PIECE.findall(text):
        if piece == ",":
            values.append("")
        elif piece.startswith('"'):
            values[-1] += piece[1:-1].replace('""', '"')
        else:
            values[-1] += piece.strip()
    return tuple(values)


def _target(decoration: str) -> Target | None:
    """Return what a decoration says, None for one that no Windows takes.

    A decoration is NT[arch][.major[.minor[.product type[.suite[.build]]]]]. Without an architecture
    it means x86, and a section without decoration is for all, as on Windows 2000.
    """
    if not decoration:
        return Target(None)
    match = _DECORATION.fullmatch(decoration.strip().lower())
    if match is None or match["arch"] == "ia64":
        return None
    numbers: Sequence[str] = (match["rest"] or "").split(".")[1:]
    major, minor, product, _, build = [*numbers, "", "", "", "", ""][:5]
    return Target(
        _ARCHITECTURES[match["arch"] or "x86"],
        (_number(major), _number(minor)),
        _number(product) or None,
        _number(build),
    )


def _number(text: str) -> int:
    try:
        return int(text.strip(), 0) if text.strip() else 0
    except ValueError:
        return 0
