# SPDX-License-Identifier: LGPL-2.1-or-later
"""The grammar of xl.cfg(5), and what of it is refused."""

from __future__ import annotations

import re

import pytest

from v2v.errors import SourceError
from v2v.sources import xl_syntax


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = 'x'", "x"),
        ('a="x"', "x"),
        ("a\t= 17", "17"),
        ("a=-3600", "-3600"),
        ("a=[]", ()),
        ("a=[ 'x', ]", ("x",)),
        ("a=[\n'x', # first\n\n2\n,\n]", ("x", "2")),
        ("a=[['x','y'],['z']]", (("x", "y"), ("z",))),
        ("b=1;a='x';", "x"),
        ("b='#'\na='x' # '", "x"),
        ("a='x'\na='y'", "y"),
        ("a='x'\na+='y'", "xy"),
        ("a=['x']\na+=['y']", ("x", "y")),
        ("a+=['y']", ("y",)),
        (r"a='it\'s \"\\ \x41\102\t'", "it's \"\\ AB\t"),
        ("\ufeffa='x'\r\n", "x"),
    ],
)
def test_values_are_read_as_xl_reads_them(text: str, value: xl_syntax.Value) -> None:
    assert xl_syntax.parse(text.removeprefix("\ufeff"), "web.cfg").value("a") == value


@pytest.mark.parametrize(
    ("text", "number"),
    [("10", 10), ("0x1F", 31), ("010", 8), ("0", 0), ("'512'", 512), ("'-1'", -1), ("' 7 '", 7)],
)
def test_numbers_are_decimal_octal_or_hexadecimal(text: str, number: int) -> None:
    config = xl_syntax.parse(f"a = {text.lower()}", "web.cfg")
    assert config.number("a") == number


SYNTAX = [
    ("name = 'web", 'web.cfg: line 1: a string without closing quote: "name = \'web"'),
    ("\n\nname 'web'", "line 3: = must follow name"),
    ("= 'web'", "line 1: a key must stand here"),
    ("'name' = 1", "line 1: a key must stand here"),
    ("name =", "line 1: a number, a quoted string or a list must stand here"),
    ("name = web", "line 1: a number, a quoted string or a list must stand here"),
    ("name = 'a' 'b'", "line 1: the line must end here"),
    ("disk = [ 'a' 'b' ]", "line 1: a comma or ] must stand here"),
    ("disk = [ 'a',\n'b'", "line 1: this list has no end"),
    ("disk = [ 'a'", "line 1: this list has no end"),
    ("disk = [ , ]", "line 1: a number, a quoted string or a list must stand here"),
    ("x = " + "[" * 20, "lists are nested too deeply"),
    ("Name = 'x'", "line 1: unexpected 'Name'"),
    ("name = $x", re.escape("line 1: unexpected '$'")),
    (r"extra = '\d'", r"line 1: unknown escape \\d in a string"),
    ("a = 'x'\na += ['y']", r"line 2: a: \+= joins a list and a string"),
]


@pytest.mark.parametrize(("text", "message"), SYNTAX)
def test_syntax_errors_name_the_line_and_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        xl_syntax.parse(text, "web.cfg")
    assert caught.value.finding.code == "E-XL-SYNTAX"


@pytest.mark.parametrize(
    "line",
    [
        "import os, re",
        "from socket import gethostname",
        "def vnet(i):",
        "    return 'xenbr%d' % i",
        "memory = 512 + 256",
        "memory = 2 * 512",
        "arch = os.uname()[4]",
        "name = 'web-%d' % vmid",
        "name = ('web')",
        "vncunused = True",
        "if vmid > 3:",
        "disk = [ 'phy:' + lv + ',xvda,w' ]",
        "print 'x'",
        "for i in range(3): pass",
        "config = { 'a': 1 }",
    ],
)
def test_python_of_xm_is_refused_by_line_and_never_run(line: str) -> None:
    with pytest.raises(SourceError, match=r"web\.cfg: line 2: Python code: ") as caught:
        xl_syntax.parse(f"# xm\n{line}\n", "web.cfg")
    assert line.strip()[:20] in str(caught.value)
    assert caught.value.finding.code == "E-XL-SYNTAX"
    assert "configuration of xm" in (caught.value.finding.hint or "")
