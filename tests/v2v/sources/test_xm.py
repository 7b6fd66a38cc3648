# SPDX-License-Identifier: LGPL-2.1-or-later
"""Python configurations are read without being run."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2v.errors import SourceError
from v2v.model import Machine
from v2v.sources import xm

PATH = Path("/etc/xen/guest")
HEAD = "name = 'guest'\nmemory = 512\nbootloader = 'pygrub'\n"
DISK = "disk = ['file:/a.img,xvda,w']\n"


def machine(text: str) -> Machine:
    return xm.parse(HEAD + DISK + text, PATH)


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("memory = 256 * 4", 1024),
        ("memory = '1024'", 1024),
        ("half = 512\nmemory = half + half", 1024),
        ("memory = int('%d' % 1024)", 1024),
        ("memory = 2048 - 1024", 1024),
    ],
)
def test_values_are_computed(text: str, memory: int) -> None:
    assert machine(text).memory_bytes == memory << 20


@pytest.mark.parametrize(
    "text",
    [
        "memory = __import__('os').system('false')",
        "memory = open('/etc/passwd').read()",
        "memory = [n for n in range(512)][-1]",
        "if True:\n    memory = 1024",
        "for memory in (1024, 2048):\n    memory = memory",
        "import os\nmemory = len(os.environ)",
        "def len(x): return 7\nmemory = len('abc') if 0 else 5",
        "memory = 'x' * 10**9",
        "memory = '%1000000000d' % 1",
        "memory = '%*d' % (1000000000, 1)",
        "memory = 9999999999 * 9999999999 * 9999999999",
    ],
)
def test_what_only_a_run_could_tell_is_an_error_that_names_the_line(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        machine(text)
    assert caught.value.finding.code == "E-XL-VALUE"
    assert "memory: a value that only running it could tell" in str(caught.value)
    assert "line " in str(caught.value)


@pytest.mark.parametrize("change", ["disk.extend(more)", "change(disk)", "x = change(disk)"])
def test_a_list_that_code_may_change_is_unknown(change: str) -> None:
    with pytest.raises(SourceError) as caught:
        machine(f"more = []\n{change}")
    assert "disk: a value that only running it could tell" in str(caught.value)


def test_what_is_appended_counts() -> None:
    found = machine("disk.append('file:/b.img,xvdb,w')\ndisk += ['file:/c.img,xvdc,w']")
    assert [disk.device for disk in found.disks] == ["xvda", "xvdb", "xvdc"]


def test_an_assignment_that_is_overridden_is_told() -> None:
    assert "W-SOURCE-DUPLICATE" in {warning.code for warning in machine("memory = 9").warnings}


@pytest.mark.parametrize("text", ["memory = = 5", "print 'old Python'", "(" * 500, "\0"])
def test_what_is_no_python_is_an_error(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        machine(text)
    assert caught.value.finding.code == "E-XM-SYNTAX"
