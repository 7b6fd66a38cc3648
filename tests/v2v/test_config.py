# SPDX-License-Identifier: LGPL-2.1-or-later
"""Defaults in v2v.yaml: the user's win over the system's, the command line over both."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from v2v import config
from v2v.arguments import parser
from v2v.cli import main
from v2v.config import completed
from v2v.errors import PlanError

Files = tuple[Path, Path]  # the system's and the user's


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    user = tmp_path / "home" / "v2v"
    user.mkdir(parents=True)
    monkeypatch.setattr(config, "SYSTEM", tmp_path / "system.yaml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(user.parent))
    return tmp_path / "system.yaml", user / "v2v.yaml"


def _args(*words: str) -> argparse.Namespace:
    return parser().parse_args(completed(words, words[0], os.environ))


def test_without_files_a_command_line_is_what_it_is(places: Files) -> None:
    assert completed(["convert", "web.cfg"], "convert", os.environ) == ("convert", "web.cfg")


def test_the_user_wins_over_the_system_and_the_command_line_over_both(places: Files) -> None:
    system, user = places
    system.write_text("output_storage: /system\noutput_format: raw\nno_fstrim: yes\n")
    user.write_text("output_storage: /user\n")
    args = _args("convert", "web.cfg")
    assert (args.output_storage, args.output_format, args.no_fstrim) == (Path("/user"), "raw", True)
    args = _args("convert", "-os", "/mine", "web.cfg")
    assert (args.output_storage, args.output_format) == (Path("/mine"), "raw")
    assert args.source == ["web.cfg"]


def test_a_list_is_taken_whole_from_one_place(places: Files) -> None:
    system, user = places
    system.write_text("network: [a:b]\n")
    user.write_text("network:\n- c:d\n- e:f\n")
    assert _args("report", "web.cfg").network == ["c:d", "e:f"]
    assert _args("report", "web.cfg", "--network", "g:h").network == ["g:h"]


def test_a_key_without_a_value_takes_the_default_back(places: Files) -> None:
    system, user = places
    system.write_text("output_format: raw\n")
    user.write_text("output_format:\n")
    assert _args("convert", "web.cfg").output_format == "qcow2"


def test_options_of_other_verbs_do_not_matter(places: Files) -> None:
    places[1].write_text("timeout: 900\nstrict: true\n")
    assert _args("verify", "web.xml").timeout == 900
    assert _args("convert", "web.cfg").strict
    assert not hasattr(_args("report", "web.cfg"), "strict")


def test_another_output_takes_none_of_the_options_of_the_first(places: Files) -> None:
    places[1].write_text("output: local\noutput_storage: /srv\n")
    args = _args("convert", "web.cfg", "-o", "null")
    assert (args.output, args.output_storage) == ("null", None)


def test_all_that_is_wrong_is_told_at_once_with_its_place(places: Files) -> None:
    system, user = places
    system.write_text("output_formt: raw\n")
    user.write_text("output_format: vhd\nnetwork: {a: b}\nstrict: perhaps\nstrict: true\n")
    with pytest.raises(PlanError) as caught:
        _args("convert", "web.cfg")
    found = {finding.message: finding.hint for finding in caught.value.findings}
    assert found[f"{system}:1:1: output_formt: there is no such option"] == (
        "did you mean output_format?"
    )
    assert {message.removeprefix(f"{user}:").split(":")[0] for message in found} >= {
        "1",
        "2",
        "3",
        "4",
    }
    assert {finding.code for finding in caught.value.findings} == {"E-CONFIG"}


@pytest.mark.parametrize("text", ["- a\n", "just words\n", "a: [\n", "? [a]\n: b\n", "\x00"])
def test_what_is_no_mapping_is_an_error(text: str, places: Files) -> None:
    places[1].write_text(text)
    with pytest.raises(PlanError, match=r"v2v\.yaml:[12]:"):
        _args("convert", "web.cfg")


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_file_says_nothing(text: str, places: Files) -> None:
    places[1].write_text(text)
    assert completed(["convert", "a"], "convert", os.environ) == ("convert", "a")


def test_the_program_takes_them_and_no_config_leaves_them_out(
    places: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guest = tmp_path / "web.cfg"
    guest.write_text('name = "web"\nmemory = 64\nvif = ["bridge=xenbr0"]\n')
    places[1].write_text("bridge: xenbr0:br7\n")
    argv = ["report", "-q", "--source-only", str(guest)]
    assert main(argv) == 0
    assert "on bridge br7" in capsys.readouterr().out
    assert main([*argv, "--no-config"]) == 0
    assert "on bridge xenbr0" in capsys.readouterr().out
    places[1].write_text("brige: xenbr0:br7\n")
    assert main(argv) == 2
    assert "v2v: hint: did you mean bridge?" in capsys.readouterr().err
