# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses of guests on hosts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.errors import ConfigError
from v2v.sources import guests, read
from v2v.sources.address import Address, is_address, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("xen+ssh://root@dom0/web", Address("xen+ssh", "dom0", "root", None, "web")),
        ("XEN+SSH://dom0.org:2222/a%20b", Address("xen+ssh", "dom0.org", None, 2222, "a b")),
        ("xen+ssh://[fe80::1%25eth0]/web", Address("xen+ssh", "fe80::1%25eth0", None, None, "web")),
        ("xen+ssh://dom0", Address("xen+ssh", "dom0")),
    ],
)  # fmt: skip
def test_an_address_has_its_parts(text: str, address: Address) -> None:
    assert is_address(text)
    assert parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "xen+ssh:///web",
        "xen+ssh://-oProxyCommand=id/web",
        "xen+ssh://-l@host/web",
        "xen+ssh://host:port/web",
        "xen+ssh://host/web?no_verify=1",
    ],
)
def test_what_ssh_could_take_for_an_option_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


@pytest.mark.parametrize("scheme", ["ssh", "xen+ssh", "vpx"])
def test_a_hint_is_of_the_kind_that_was_meant(scheme: str) -> None:
    with pytest.raises(ConfigError) as failed:
        parse(f"{scheme}:///vm")
    assert f"{scheme}://root@host" in (failed.value.finding.hint or "")


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as failed:
        parse("xen+ssh://root:secret@dom0/web")
    assert "secret" not in failed.value.finding.message


@pytest.mark.parametrize("text", ["/srv/web.cfg", "web.cfg", "xen+ssh:/host/web", "C:\\web.vmx"])
def test_files_are_no_addresses(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    ("given", "kind"),
    [(("ftp://host/web",), None), (("xen+ssh://host",), None), (("xen+ssh://host/web",), "xl"),
     (("xen+ssh://host/a", "xen+ssh://host/b"), None)],
)  # fmt: skip
def test_wrong_uses_of_addresses_are_told_before_anything_is_reached(
    given: tuple[str, ...], kind: str | None
) -> None:
    with pytest.raises(ConfigError):
        read(given, kind)


def test_each_address_is_a_guest_of_its_own() -> None:
    given = ("xen+ssh://host/a", "xen+ssh://host/b")
    assert guests(given) == (("xen+ssh://host/a",), ("xen+ssh://host/b",))


@given(st.text(max_size=60))
def test_no_text_makes_the_parser_crash(text: str) -> None:
    with suppress(ConfigError):
        assert parse(f"xen+ssh://{text}").host
