# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain XML from outside as an element tree, and values taken from it with their errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from lxml import etree

from v2v.errors import ProofError
from v2v.sources.xml import parse

Element = etree._Element
_Value = TypeVar("_Value")

_MAX_BYTES = 4 * 1024 * 1024  # the largest domains have some hundred devices of some hundred bytes


def read_file(path: Path) -> Element:
    """Return the root of a domain XML.

    Raises ProofError (E-DOMAIN-XML), SourceError (E-XML-...).
    """
    if not path.is_file():
        raise ProofError("E-DOMAIN-XML", f"{path}: no such file")
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ProofError("E-DOMAIN-XML", f"{path}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise ProofError("E-DOMAIN-XML", f"{path}: too large for a domain XML")
    root = parse(data, str(path))
    if root.tag != "domain":
        raise ProofError(
            "E-DOMAIN-XML",
            f"{path}: not a libvirt domain: the root element is <{root.tag}>",
            hint="give the XML that `virsh dumpxml` or `v2v convert` writes",
        )
    return root


def text(parent: Element, path: str) -> str | None:
    """Return the text of a descendant, stripped; None if there is no such element."""
    found = parent.find(path)
    return None if found is None else (found.text or "").strip()


def attribute(parent: Element, path: str, name: str) -> str | None:
    """Return an attribute of a descendant; None if there is no such element or attribute."""
    found = parent.find(path)
    return None if found is None else found.get(name)


def number(value: str, what: str) -> int:
    """Return a decimal or 0x number. Raises ProofError (E-PROOF-DOMAIN)."""
    try:
        found = int(value, 0)
    except ValueError as error:
        raise ProofError("E-PROOF-DOMAIN", f"{what}: not a number: {value!r}") from error
    if found < 0:
        raise ProofError("E-PROOF-DOMAIN", f"{what}: negative: {value}")
    return found


def choice(value: str, known: Mapping[str, _Value], what: str) -> _Value:
    """Return what a word stands for. Raises ProofError (E-PROOF-DOMAIN)."""
    if value not in known:
        raise ProofError(
            "E-PROOF-DOMAIN",
            f"{what}: {value!r} cannot be put to the proof",
            hint=f"known are {', '.join(known)}",
        )
    return known[value]
