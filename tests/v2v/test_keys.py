# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from v2v.errors import ConfigError
from v2v.keys import Key, parse_keys
from v2v.options import Options


@pytest.mark.parametrize(
    ("text", "selector", "secret"),
    [
        ("all:key:secret", "all", b"secret"),
        ("/dev/sda2:key:with:colons:file:x", "/dev/sda2", b"with:colons:file:x"),
        ("/dev/mapper/vg-lv:key: spaces ", "/dev/mapper/vg-lv", b" spaces "),
        ("all:key:two\nlines", "all", b"two\nlines"),
        ("/dev/disk/by-path/pci-0000:00:03.0:key:x", "/dev/disk/by-path/pci-0000:00:03.0", b"x"),
    ],
)
def test_a_key_is_for_a_volume(text: str, selector: str, secret: bytes) -> None:
    (key,) = parse_keys([text])
    assert (key.selector, key.secret) == (selector, secret)


def test_key_files_are_taken_byte_by_byte_then_without_the_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for content, tried in [
        (b"\x00\xff\n\x00", (b"\x00\xff\n\x00",)),
        (b"secret\n", (b"secret\n", b"secret")),
        (b"secret\r\n", (b"secret\r\n", b"secret")),
        (b"\n", (b"\n",)),
    ]:
        file.write_bytes(content)
        (key,) = parse_keys([f"all:file:{file}"])
        assert key.secrets == tried


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hidden", "--key: number 2 of them is not understood"),
        ("all:key:", "number 2"),
        ("all:file:/absent/hidden-not", "/absent/hidden-not: No such file"),
        ("/dev/sda2:clevis", "/dev/sda2:clevis: keys on a server or in a TPM cannot be had"),
    ],
)
def test_a_wrong_option_is_an_error_that_quotes_no_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_keys(["all:key:first-one", text])
    assert "first-one" not in f"{caught.value!r} {caught.value.finding}"
    assert text != "hidden" or "hidden" not in str(caught.value)


def test_an_empty_key_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigError, match="empty: the file is empty"):
        parse_keys([f"all:file:{tmp_path}/empty"])


def test_no_text_form_shows_a_key() -> None:
    key = Key("all", b"hunter2")
    assert "hunter2" not in f"{key!r} {key} {Options(keys=(key,))!r}"
