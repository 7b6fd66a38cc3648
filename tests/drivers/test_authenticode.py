# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which drivers Windows would start with, by their signatures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.authenticode import refusal, signatures
from fixtures.signatures import MICROSOFT, signed
from v2v.windows_guest import Windows

AMD64 = 0x8664
I386 = 0x014C


def windows(nt: tuple[int, int], *, sha2: bool = True) -> Windows:
    return Windows("/Windows", "", "", "", nt, 0, "Client", sha2=sha2)


@pytest.mark.parametrize("machine", [AMD64, I386])
def test_both_signatures_of_a_program_are_read(machine: int) -> None:
    found = signatures(signed(machine, ("sha1", "sha256")))
    assert [signature.digest for signature in found] == ["sha1", "sha256"]
    assert all(MICROSOFT in signature.issuers for signature in found)


def test_a_program_without_a_signature_has_none() -> None:
    assert signatures(signed(AMD64, ())) == ()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (signed(AMD64), None),
        (signed(AMD64, issuer="Microsoft Root Certificate Authority 2010"), None),
        (signed(AMD64, ()), "it is not signed"),
        (signed(AMD64, issuer="VirtIO Test Root"), "its signature is not by way of Microsoft"),
        (b"", "it is not signed"),
    ],
    ids=["cross-signed", "signed by Microsoft", "unsigned", "test-signed", "no program"],
)
def test_a_64_bit_windows_starts_with_what_microsoft_let_pass(
    program: bytes, reason: str | None
) -> None:
    assert refusal(program, windows((10, 0)), "x86_64") == reason


@pytest.mark.parametrize(("nt", "arch"), [((10, 0), "i686"), ((5, 2), "x86_64")])
def test_32_bit_and_old_windows_start_with_any(nt: tuple[int, int], arch: str) -> None:
    assert refusal(signed(AMD64, ()), windows(nt), arch) is None


@pytest.mark.parametrize(
    ("digests", "sha2", "refused"),
    [
        (("sha256",), False, True),
        (("sha256",), True, False),
        (("sha1",), False, False),
        (("sha1", "sha256"), False, False),
    ],
)
def test_windows_7_without_its_update_does_not_know_sha_2(
    digests: tuple[str, ...], sha2: bool, refused: bool
) -> None:
    found = refusal(signed(AMD64, digests), windows((6, 1), sha2=sha2), "x86_64")
    assert (found is not None) is refused


@given(st.data())
def test_a_damaged_program_is_read_without_an_error(data: st.DataObject) -> None:
    whole = bytearray(signed(AMD64, ("sha1", "sha256")))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8)):
        whole[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)))
    assert isinstance(signatures(bytes(whole[:end])), tuple)
