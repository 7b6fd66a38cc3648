# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completions as the shells themselves do them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.manual import ROOT
from v2v.arguments import SOURCE_KINDS

_FOLDER = ROOT / "docs/completions"
# What bash does when the user presses TAB, bash(1), "Programmable Completion".
_BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
set -- $(complete -p v2v); while [ "$1" != -F ]; do shift; done
"$2" v2v "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _completed(*words: str, folder: Path = ROOT) -> set[str]:
    done = subprocess.run(
        ["bash", "--norc", "-c", _BASH, "bash", _FOLDER / "v2v", *words],
        capture_output=True, text=True, check=True, cwd=folder, timeout=30,
    )  # fmt: skip
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["v2v", "con"], {"convert"}),
        (["v2v", "convert", "--output-s"], {"--output-storage"}),
        (["v2v", "convert", "--initramfs", ""], {"auto", "splice", "rebuild"}),
        (["v2v", "convert", "--input", ""], set(SOURCE_KINDS)),
        (["v2v", "verify", "--format", "h"], {"html"}),
        (["v2v", "list", "--input-p"], {"--input-password-file"}),
    ],
)
def test_bash_completes_verbs_options_and_values(words: list[str], expected: set[str]) -> None:
    assert _completed(*words) == expected


def test_bash_completes_files_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "web.cfg").touch()
    (tmp_path / "guests").mkdir()
    assert _completed("v2v", "report", "we", folder=tmp_path) == {"web.cfg"}
    assert _completed("v2v", "convert", "web.cfg", "-os", "", folder=tmp_path) == {"guests"}


def test_zsh_finds_the_completion_and_can_read_it() -> None:
    script = f"fpath=({_FOLDER} $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[v2v]"
    done = subprocess.run(
        ["zsh", "-f", "-c", f"{script}; autoload +X _v2v"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("_v2v\n", "")
