# SPDX-License-Identifier: LGPL-2.1-or-later
"""XML from outside, read without entities, without a DTD and without the network."""

from __future__ import annotations

import codecs
import re
from typing import Never

from lxml import etree

from v2v.errors import SourceError

_ENDS = {"<!--": "-->", "<?": "?>", "<!": ">"}
_PROLOG = re.compile(r"\s*(<!--|<\?|<!)")
_ROOT = re.compile(r"\s*<((?:[\w.-]+:)?[A-Za-z_][\w.-]*)")


def parse(data: bytes, where: str) -> etree._Element:
    """Return the root element of an XML document. Raises SourceError.

    A DOCTYPE is refused before anything is parsed: no hypervisor writes one, and what can be done
    with one (files read in, text multiplied without end) is only ever an attack. NULs are left out
    of the search, so that UTF-16 hides nothing.
    """
    plain = data.replace(b"\0", b"")
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        _refuse(where)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise SourceError("E-XML-SYNTAX", f"{where}: not XML: {error.msg}") from error
    if root.getroottree().docinfo.internalDTD is not None:  # one in an encoding that hid it
        _refuse(where)
    return root


def _refuse(where: str) -> Never:
    raise SourceError(
        "E-XML-ENTITIES",
        f"{where}: the document declares a DOCTYPE or entities, which are never read",
        hint="remove the declaration; virsh dumpxml writes none",
    )


def root_name(head: bytes) -> str | None:
    """Return the name of a document's root element from its first bytes; None if it is no XML."""
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = head.decode("utf-16" if utf16 else "utf-8-sig", errors="ignore")
    at = 0
    while opened := _PROLOG.match(text, at):
        mark = opened[1]
        end = text.find(_ENDS[mark], opened.end())
        if mark == "<!" and "[" in text[at:end]:  # a DOCTYPE with declarations of its own
            end = text.find("]", opened.end())
            end = text.find(">", end) if end >= 0 else end
        if end < 0:
            return None
        at = end + len(_ENDS[mark])
    root = _ROOT.match(text, at)
    return None if root is None else root[1]
