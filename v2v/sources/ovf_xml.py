# SPDX-License-Identifier: LGPL-2.1-or-later
"""The XML of OVF (DMTF DSP0243 1.x and 2.x, and VMware's 0.9), by local names.

The namespaces of the versions differ, oVirt's has a slash more, and attributes come with a prefix
or without; what is meant does not. A section is an element of its name, or in 0.9 and oVirt a
<Section> whose xsi:type says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NUMBER = re.compile("[0-9]{1,20}", re.ASCII)
_FACTOR = re.compile(r"([0-9]{1,4})(?:\^([0-9]{1,2}))?", re.ASCII)
_UNITS = {
    name: 1 << 10 * power
    for power, names in enumerate(
        (
            ("byte", "bytes", "b"),
            ("kilobyte", "kilobytes", "kb", "kib"),
            ("megabyte", "megabytes", "mb", "mib"),
            ("gigabyte", "gigabytes", "gb", "gib"),
            ("terabyte", "terabytes", "tb", "tib"),
        )
    )
    for name in names
}


def local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2]


def is_a(element: etree._Element, name: str) -> bool:
    """Tell whether an element is what ``name`` says, by its tag or its xsi:type."""
    typed = element.get(_TYPE, "").rpartition(":")[2]
    return local(element.tag) == name or typed == f"{name}_Type"


def children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """Yield the children that are what ``name`` says, in their order."""
    return (child for child in element if is_a(child, name))


def child(element: etree._Element, name: str) -> etree._Element | None:
    """Return the first child that is what ``name`` says."""
    return next(children(element, name), None)


def attribute(element: etree._Element, name: str) -> str | None:
    """Return an attribute, of whichever namespace."""
    values = (value for key, value in element.attrib.items() if local(str(key)) == name)
    return next((str(value).strip() for value in values), None)


def text(element: etree._Element, name: str) -> str | None:
    """Return the text of the first child of a name; None if there is none, or it is empty."""
    found = child(element, name)
    said = "" if found is None else (found.text or "").strip()
    return said or None


def localised(root: etree._Element, element: etree._Element) -> str | None:
    """Return an element's text, or the message that it names in one of the file's <Strings>.

    The document's own language comes first, then the first that has it.
    """
    said = (element.text or "").strip()
    wanted = attribute(element, "msgid")
    if said or wanted is None:
        return said or None
    language = attribute(root, "lang")
    bundles = sorted(
        children(root, "Strings"), key=lambda each: attribute(each, "lang") != language
    )
    messages = (message for bundle in bundles for message in children(bundle, "Msg"))
    found = (each.text for each in messages if attribute(each, "msgid") == wanted)
    return next((each.strip() for each in found if each and each.strip()), None)


def number(given: str | None) -> int | None:
    """Return a whole number, None if it is none."""
    return int(given) if given is not None and _NUMBER.fullmatch(given) else None


def unit(given: str) -> int | None:
    """Return the bytes of a unit: ``byte * 2^20`` (DSP0004), MegaBytes, MB; None if unknown."""
    plain = "".join(given.lower().split())
    if plain in _UNITS:
        return _UNITS[plain]
    base, *factors = plain.split("*")
    if base not in ("byte", "bytes") or len(factors) > 4:
        return None
    bytes_of = 1
    for factor in factors:
        match = _FACTOR.fullmatch(factor)
        if match is None:
            return None
        bytes_of *= int(match[1]) ** int(match[2] or 1)
    return bytes_of if 0 < bytes_of < 1 << 63 else None
