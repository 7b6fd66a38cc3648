# SPDX-License-Identifier: LGPL-2.1-or-later
"""XML from outside: entities are refused, the root element is found without parsing."""

from __future__ import annotations

import pytest

from v2v.errors import SourceError
from v2v.sources import xml

LAUGHS = (
    '<!DOCTYPE domain [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<domain type='kvm'><name>&b;</name></domain>"
)


@pytest.mark.parametrize(
    "data",
    [
        LAUGHS.encode(),
        LAUGHS.encode("utf-16"),
        LAUGHS.encode("utf-32"),
        b"<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain type='kvm'><name>x</name></domain>",
        b"<!DOCTYPE domain><domain type='kvm'><name>x</name></domain>",
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE domain+AD4-'
        b"+ADw-domain type='kvm'+AD4APA-name+AD4-x+ADw-/name+AD4APA-/domain+AD4-",
    ],
)
def test_entities_and_document_types_are_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"web\.xml: the document declares a DOCTYPE") as caught:
        xml.parse(data, "web.xml")
    assert caught.value.finding.code == "E-XML-ENTITIES"


@pytest.mark.parametrize(
    ("head", "root"),
    [
        (b"<domain type='xen'/>", "domain"),
        (b"\xef\xbb\xbf\n<domain>", "domain"),
        (b"<?xml version='1.0'?><!-- <x> --><!-- --><domain>", "domain"),
        (b"<!DOCTYPE domain [<!ENTITY a '>'>]>\n<domain>", "domain"),
        (b"<!DOCTYPE domain SYSTEM 'x'><domain>", "domain"),
        ("<domain>".encode("utf-16"), "domain"),
        (b"<ovf:Envelope>", "ovf:Envelope"),
        (b"<domainsnapshot>", "domainsnapshot"),
        (b"<!-- no end <domain>", None),
        (b"<!DOCTYPE a [", None),
        (b"<", None),
        (b"text <domain>", None),
        (b"", None),
    ],
)
def test_the_root_element_is_found_without_parsing(head: bytes, root: str | None) -> None:
    assert xml.root_name(head) == root
