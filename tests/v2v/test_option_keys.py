# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from v2v.arguments import parser
from v2v.option_keys import OptionKey, option_keys, suggestion

KEYS = option_keys("convert")
VALUES: dict[str, str | list[str]] = {
    "input_option": ["xen-configs=/etc/guests"],
    "map_path": ["/dev/vg=/mnt", "/a=/b"],
    "key": "all:key:- a passphrase",
    "network": "lan",
    "bridge": ["xenbr0:br0"],
    "mac": "00:16:3e:5a:1e:01:bridge:br0",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_every_option_of_convert_can_be_given_in_a_file(key: OptionKey) -> None:
    choices = list(key.action.choices or ())
    value = VALUES.get(key.name, "true" if key.is_flag else str(choices[-1] if choices else "7"))
    args = parser().parse_args(["convert", *key.words(value), "--", "web.cfg"])
    plain = parser().parse_args(["convert", "web.cfg"])
    changed = {name for name in vars(args) if getattr(args, name) != getattr(plain, name)}
    assert changed <= {key.name}
    assert changed or str(getattr(plain, key.name)) == value
    assert args.source == ["web.cfg"]


def test_keys_are_the_long_options() -> None:
    assert {"output", "output_storage", "no_fstrim", "strict", "key"} <= set(KEYS)
    assert not {"source", "help", "quiet", "machine_readable"} & set(KEYS)


def test_a_value_that_starts_with_a_dash_stays_a_value() -> None:
    words = KEYS["output_name"].words("--strict")
    assert parser().parse_args(["convert", *words, "a"]).output_name == "--strict"


def test_a_flag_that_is_off_is_no_word() -> None:
    assert KEYS["no_fstrim"].words("No") == ()
    assert KEYS["no_fstrim"].words("on") == ("--no-fstrim",)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("output_format", "qcow", "'qcow' is none of qcow2, raw"),
        ("output_name", ["a", "b"], "takes one value"),
        ("no_fstrim", "perhaps", "true or false"),
        ("no_fstrim", ["true"], "true or false"),
    ],
)
def test_wrong_values_are_refused(name: str, value: str | list[str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        KEYS[name].words(value)


def test_unknown_keys_get_a_suggestion() -> None:
    assert suggestion("outptu", ["output", "output_name"]) == "did you mean output?"
    assert suggestion("xyz", ["b", "a"]) == "there are a, b"
