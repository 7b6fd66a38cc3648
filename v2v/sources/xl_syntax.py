# SPDX-License-Identifier: LGPL-2.1-or-later
"""The grammar of xl.cfg(5): ``key = value`` with numbers, strings and lists. Nothing is executed.

It accepts what xl accepts, and CRLF, a byte order mark and negative numbers besides. A key that is
assigned twice has its last value; ``+=`` appends to a list or a string.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Never, TypeAlias

from v2v.errors import SourceError

Value: TypeAlias = "str | tuple[Value, ...]"

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\#[^\n]*)
      | (?P<newline>\n)
      | (?P<name>[a-z][_0-9a-z]*)
      | (?P<number>-?[0-9][0-9a-fx]*)
      | (?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
      | (?P<mark>\+=|[\[\],=;])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:x(?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-7]{1,3})|(?P<char>.))")
_ESCAPES = {
    **{char: char for char in "\"'\\"},
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|#.*")
_PYTHON = re.compile(
    rf"\b(?:{'|'.join((*keyword.kwlist, 'print', 'exec'))})\b|[-+*/%.:(){{}}@<>](?!=)"
)
"""What may be left of a line of Python without its strings. xl, too, takes it for a sign."""

_MAX_DEPTH = 16  # of lists in lists; vnuma and vsnd have two
_NUMBER = re.compile(
    r"(?P<sign>-?)(?:0x(?P<hex>[0-9a-fA-F]+)|(?P<octal>0[0-7]*)|(?P<dec>[1-9][0-9]*))"
)
_INT64 = 1 << 63
_SHORT = 40  # characters of a value that people are shown


@dataclass(frozen=True, slots=True)
class Setting:
    """A key's value and the line where it stands; None: it is there, and nobody can tell it."""

    value: Value | None
    line: int


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # name, number, string, mark, newline, end
    text: str
    line: int


class Config:
    """The settings of one file. It remembers which keys were asked for: the rest is not carried."""

    def __init__(self, where: str, settings: dict[str, Setting], repeated: tuple[str, ...]) -> None:
        self.where = where
        self.repeated = repeated  # keys that were assigned more than once
        self._settings = settings
        self._asked: set[str] = set()

    @property
    def unasked(self) -> tuple[str, ...]:
        """The sorted keys that nobody asked for."""
        return tuple(sorted(self._settings.keys() - self._asked))

    def shown(self, key: str) -> str:
        """Return a key with its value, for people; no lists, and nothing long or secret."""
        value = self._settings[key].value
        if not isinstance(value, str) or not 0 < len(value) <= _SHORT or "passw" in key:
            return key
        return f"{key}={value!r}"

    def value(self, key: str) -> Value | None:
        self._asked.add(key)
        setting = self._settings.get(key)
        if setting is not None and setting.value is None:
            self._refuse(key, "a value that only running it could tell; write it out")
        return None if setting is None else setting.value

    def text(self, key: str) -> str | None:
        """Return a string; numbers are strings too, as in xl."""
        value = self.value(key)
        if isinstance(value, tuple):
            self._refuse(key, "is a list, where a string or number is asked for")
        return value

    def filled(self, key: str) -> str | None:
        """Return a string without the blanks around it, None if nothing is left."""
        return (self.text(key) or "").strip() or None

    def number(self, key: str) -> int | None:
        """Return a number: decimal, octal with 0 in front, or hexadecimal with 0x."""
        text = self.text(key)
        if text is None:
            return None
        found = _NUMBER.fullmatch(text.strip())
        if found is None or len(text) > 24:
            self._refuse(key, f"{text!r} is not a number")
        base, digits = next(
            (base, found[name])
            for base, name in ((16, "hex"), (8, "octal"), (10, "dec"))
            if found[name]
        )
        number = int(found["sign"] + digits, base)
        if not -_INT64 <= number < _INT64:
            self._refuse(key, f"{text!r} is too large")
        return number

    def flag(self, key: str) -> bool | None:
        """Return a boolean, which xl writes as 0 or another number."""
        number = self.number(key)
        return None if number is None else number != 0

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; an absent key is an empty list."""
        value = self.value(key)
        if isinstance(value, str):
            self._refuse(key, "is a string, where a list [ ... ] is asked for")
        return tuple(
            item if isinstance(item, str) else self._refuse(key, "holds a list in a list")
            for item in value or ()
        )

    def _refuse(self, key: str, what: str) -> Never:
        line = self._settings[key].line
        raise SourceError("E-XL-VALUE", f"{self.where}: line {line}: {key}: {what}")


def parse(text: str, where: str) -> Config:
    """Return the settings of an xl.cfg. ``where`` names the file in errors. Raises SourceError."""
    return _Parser(text, where).config()


class _Parser:
    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        self._tokens = self._tokenize()
        self._token = next(self._tokens)

    def config(self) -> Config:
        settings: dict[str, Setting] = {}
        repeated: dict[str, None] = {}
        while self._token.kind != "end":
            if self._token.kind != "newline" and self._token.text != ";":
                key, add, setting = self._assignment()
                if add and key in settings:
                    setting = self._joined(key, settings[key], setting)
                elif key in settings:
                    repeated[key] = None
                settings[key] = setting
            self._end_of_statement()
        return Config(self._where, settings, tuple(repeated))

    def _assignment(self) -> tuple[str, bool, Setting]:
        key = self._token
        if key.kind != "name":
            self._refuse(key, "a key must stand here")
        operator = self._next()
        if operator.text not in ("=", "+=") or operator.kind != "mark":
            self._refuse(operator, f"= must follow {key.text}")
        self._next()
        return key.text, operator.text == "+=", Setting(self._value(0), key.line)

    def _joined(self, key: str, before: Setting, after: Setting) -> Setting:
        if isinstance(before.value, str) and isinstance(after.value, str):
            return Setting(before.value + after.value, after.line)
        if isinstance(before.value, tuple) and isinstance(after.value, tuple):
            return Setting(before.value + after.value, after.line)
        raise SourceError(
            "E-XL-SYNTAX",
            f"{self._where}: line {after.line}: {key}: += joins a list and a string",
        )

    def _end_of_statement(self) -> None:
        if self._token.kind == "end":
            return
        if self._token.kind != "newline" and self._token.text != ";":
            self._refuse(self._token, "the line must end here")
        self._next()

    def _value(self, depth: int) -> Value:
        token = self._token
        if token.kind in ("string", "number"):
            self._next()
            return token.text
        if token.kind != "mark" or token.text != "[":
            self._refuse(token, "a number, a quoted string or a list must stand here")
        if depth == _MAX_DEPTH:
            self._refuse(token, "lists are nested too deeply")
        return self._list(depth)

    def _list(self, depth: int) -> tuple[Value, ...]:
        start = self._token
        items: list[Value] = []
        self._next_in_list()
        while self._token.text != "]" or self._token.kind != "mark":
            if self._token.kind == "end":
                self._refuse(start, "this list has no end")
            items.append(self._value(depth + 1))
            self._skip_newlines()
            if self._token.kind == "mark" and self._token.text == ",":
                self._next_in_list()
            elif self._token.kind != "end" and self._token.text != "]":
                self._refuse(self._token, "a comma or ] must stand here")
        self._next()
        return tuple(items)

    def _next(self) -> _Token:
        self._token = next(self._tokens)
        return self._token

    def _next_in_list(self) -> None:
        self._next()
        self._skip_newlines()

    def _skip_newlines(self) -> None:
        while self._token.kind == "newline":
            self._next()

    def _tokenize(self) -> Iterator[_Token]:
        at, line = 0, 1
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                self._refuse_text(at, line)
            kind, text = found.lastgroup or "", found[0]
            if kind == "string":
                text = self._unquoted(text, line)
            if kind != "blank":
                yield _Token(kind, text, line)
            line += kind == "newline"
            at = found.end()
        while True:
            yield _Token("end", "", line)

    def _unquoted(self, text: str, line: int) -> str:
        def replace(escape: re.Match[str]) -> str:
            if escape["hex"] or escape["octal"]:
                code = int(escape["hex"], 16) if escape["hex"] else int(escape["octal"], 8)
                return chr(code & 0xFF)
            if escape["char"] not in _ESCAPES:
                raise SourceError(
                    "E-XL-SYNTAX",
                    f"{self._where}: line {line}: unknown escape {escape[0]} in a string",
                )
            return _ESCAPES[escape["char"]]

        return _ESCAPE.sub(replace, text[1:-1])

    def _refuse_text(self, at: int, line: int) -> Never:
        rest = self._text[at : at + 200].split("\n")[0]
        if rest[0] in "'\"":
            self._fail(line, "a string without closing quote")
        word = re.match(r"\w+", rest)
        self._refuse(_Token("text", "", line), f"unexpected {word[0] if word else rest[0]!r}")

    def _refuse(self, token: _Token, what: str) -> Never:
        source = self._source(token.line)
        if _PYTHON.search(_QUOTED.sub("", source)) is None:
            self._fail(token.line, what)
        raise SourceError(
            "E-XL-SYNTAX",
            f"{self._where}: line {token.line}: Python code: {source[:80]!r}",
            hint="this is a configuration of xm, which is a Python program and is never run here; "
            "write its values out as numbers, strings and lists (xl.cfg(5))",
        )

    def _fail(self, line: int, what: str) -> Never:
        source = self._source(line)[:80]
        raise SourceError("E-XL-SYNTAX", f"{self._where}: line {line}: {what}: {source!r}")

    def _source(self, line: int) -> str:
        return self._text.split("\n")[line - 1].strip()
