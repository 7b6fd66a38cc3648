# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether Windows would load a driver for the disk that it starts from, by the driver's signature.

64-bit Windows since Vista loads such a driver only with a signature inside of its file, by way of
Microsoft ("Kernel-mode code signing requirements" of Microsoft's documentation); without, it stops
with 0xC0000428. Media have such drivers: those of virtio-win after 0.1.240 for Windows before 10
are not signed that way (virtio-win/kvm-guest-drivers-windows issues 557, 980, 1112). That nobody
changed the file is not checked here, as its maker's medium is trusted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from asn1crypto.cms import ContentInfo, SignedData

from v2v.windows_guest import Windows

_VISTA = 6, 0
# Who Microsoft's own signatures and its cross-certificates of other makers come from.
_ROOTS = (
    "Microsoft Code Verification Root",
    "Microsoft Root Authority",
    "Microsoft Root Certificate Authority",  # and its successors: ... 2010, ... 2011
)
_SECURITY_DIRECTORY = 4
_PKCS_SIGNED_DATA = 2
_NESTED = "1.3.6.1.4.1.311.2.4.1"  # SPC_NESTED_SIGNATURE_OBJID: a second signature by another hash


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature in a program: its hash, and whom its certificates are from."""

    digest: str  # sha1, sha256, ...
    issuers: frozenset[str]  # common names

    @property
    def by_microsoft(self) -> bool:
        return any(issuer.startswith(_ROOTS) for issuer in self.issuers)


def signatures(program: bytes) -> tuple[Signature, ...]:
    """Return the signatures in a PE file; one that is damaged counts as none.

    "Windows Authenticode Portable Executable Signature Format", and PE/COFF, "The Attribute
    Certificate Table".
    """
    found: list[Signature] = []
    try:
        for data in _certificates(program):
            found += _signatures(data)
    except (struct.error, ValueError, TypeError, KeyError, IndexError):  # as asn1crypto raises them
        return tuple(found)
    return tuple(found)


def refusal(program: bytes, windows: Windows, arch: str) -> str | None:
    """Return why Windows would not start with a driver, None where it would."""
    if arch == "i686" or windows.nt < _VISTA:
        return None
    found = signatures(program)
    if not found:
        return "it is not signed"
    trusted = [signature for signature in found if signature.by_microsoft]
    if not trusted:
        return "its signature is not by way of Microsoft"
    if not windows.sha2 and all(signature.digest != "sha1" for signature in trusted):
        return "its signature is SHA-2, which this Windows knows since KB3033929 or KB4474419 only"
    return None


def _certificates(program: bytes) -> Iterator[bytes]:
    """Yield the entries of the certificate table that are signatures."""
    (header,) = struct.unpack_from("<I", program, 0x3C)
    optional = header + 24
    (magic,) = struct.unpack_from("<H", program, optional)
    directories = optional + (112 if magic == 0x20B else 96)
    at, size = struct.unpack_from("<II", program, directories + 8 * _SECURITY_DIRECTORY)
    end = at + size
    while at and at + 8 <= end:
        length, _, kind = struct.unpack_from("<IHH", program, at)
        if length < 8:
            return
        if kind == _PKCS_SIGNED_DATA:
            yield program[at + 8 : at + length]
        at += -(-length // 8) * 8


def _signatures(data: bytes) -> Iterator[Signature]:
    signed = ContentInfo.load(data)["content"]
    if not isinstance(signed, SignedData):
        return
    names = [certificate.chosen.issuer.native for certificate in signed["certificates"]]
    issuers = frozenset(str(name.get("common_name", "")) for name in names)
    for signer in signed["signer_infos"]:
        yield Signature(str(signer["digest_algorithm"]["algorithm"].native), issuers)
        for attribute in signer["unsigned_attrs"]:
            if attribute["type"].dotted == _NESTED:
                for nested in attribute["values"]:
                    yield from _signatures(nested.dump())
