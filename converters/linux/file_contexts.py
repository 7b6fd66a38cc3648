# SPDX-License-Identifier: LGPL-2.1-or-later
"""SELinux's labels of files, as the guest's own policy gives them.

The rules are those of selabel_file(5), checked against libselinux 3.4: a path is first put through
the alias files, then the last line that matches wins, but a line without a regular expression
beats all that have one. A line holds a path's regular expression (PCRE), perhaps a file type, and
the label. The compiled file_contexts.bin beside it says the same.
"""

from __future__ import annotations

import re
import stat as modes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TYPES = {
    "--": modes.S_IFREG,
    "-d": modes.S_IFDIR,
    "-l": modes.S_IFLNK,
    "-b": modes.S_IFBLK,
    "-c": modes.S_IFCHR,
    "-p": modes.S_IFIFO,
    "-s": modes.S_IFSOCK,
}
_NONE = "<<none>>"
_EXACT = re.compile(r"(?:[^\\.^$?*+|\[({]|\\.)*", re.DOTALL)
_LITERAL = re.compile(r"[^\\.^$?*+|\[({)]*(?![?*+{])")
# What is the same in PCRE and in Python, one piece a match; an escape is of a sign, not a letter.
_PIECE = re.compile(
    r"(?P<class>\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\])|\\[^A-Za-z0-9]|\\[dDsSwW]|\{(?!,)|[^\\\[{]",
    re.DOTALL,
)
_POSIX = {
    "[:alnum:]": "0-9A-Za-z", "[:alpha:]": "A-Za-z", "[:digit:]": "0-9", "[:lower:]": "a-z",
    "[:upper:]": "A-Z", "[:xdigit:]": "0-9A-Fa-f", "[:space:]": r"\s", "[:word:]": r"\w",
}  # fmt: skip
_IN_CLASS = re.compile(r"\[:\w+:\]|\\.|[\[\]&~|]", re.DOTALL)


class PolicyError(ValueError):
    """A policy that cannot be read, or not exactly."""


@dataclass(frozen=True, slots=True)
class _Line:
    pattern: str
    prefix: str  # what a path must begin with to match
    type: int | None  # of stat's S_IFMT; None: any
    label: str

    def matches(self, path: str, kind: int) -> bool:
        if self.type not in (None, kind) or not path.startswith(self.prefix):
            return False
        return re.fullmatch(_translated(self.pattern), _bytes(path), re.DOTALL) is not None


class FileContexts:
    """The labels that a policy gives to paths.

    ``texts`` are file_contexts and what extends it, in the order of libselinux: .homedirs, .local.
    ``aliases`` are .subs, the administrator's, and .subs_dist, the distribution's.
    """

    def __init__(self, texts: Iterable[str], aliases: Sequence[str] = ()) -> None:
        lines = [line for text in texts for line in _lines(text)]
        exact = [line for line in lines if _EXACT.fullmatch(line.pattern)]
        other = [line for line in lines if not _EXACT.fullmatch(line.pattern)]
        self._lines = (*reversed(exact), *reversed(other))
        self._aliases = tuple(_aliases(text) for text in aliases)

    def label(self, path: str, kind: int) -> str | None:
        """Return the label of a path whose type is ``kind`` (S_IFREG, ...), None if it has none.

        Raises PolicyError where the answer hangs on an expression that Python cannot match.
        """
        for table in self._aliases:
            path = _renamed(path, table)
        found = next((line for line in self._lines if line.matches(path, kind)), None)
        return None if found is None or found.label == _NONE else found.label


def _lines(text: str) -> list[_Line]:
    found = []
    for line in text.splitlines():
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) == 2:
            fields.insert(1, "")
        if len(fields) < 3 or (fields[1] and fields[1] not in _TYPES):
            raise PolicyError(f"not a line of file_contexts: {line.strip()}")
        pattern, kind, label = fields[:3]
        found.append(_Line(pattern, _prefix(pattern), _TYPES.get(kind), label))
    return found


def _prefix(pattern: str) -> str:
    """Return what every path that matches begins with."""
    depth = 0
    for piece in _PIECE.finditer(pattern) if "|" in pattern else ():
        depth += (piece[0] == "(") - (piece[0] == ")")
        if piece[0] == "|" and depth == 0:  # libselinux ties "^" and "$" to one of the two
            raise PolicyError(f"alternatives that no brackets hold together: {pattern}")
    found = _LITERAL.match(pattern)
    return found[0] if found else ""


def _aliases(text: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of path and what it stands for, the last line first, as libselinux looks."""
    rows = [line.split() for line in text.splitlines()]
    pairs = [(row[0], row[1]) for row in rows if len(row) >= 2 and not row[0].startswith("#")]
    return tuple(reversed(pairs))


def _renamed(path: str, aliases: Iterable[tuple[str, str]]) -> str:
    for old, new in aliases:
        rest = path.removeprefix(old)
        if path.startswith(old) and rest[:1] in ("", "/"):
            return rest if new == "/" and rest else new + rest
    return path


def _translated(pattern: str) -> bytes:
    """Return a PCRE as one of Python's for bytes. Raises PolicyError where that is not exact."""
    parts, at = [], 0
    while at < len(pattern):
        piece = _PIECE.match(pattern, at)
        if piece is None:
            raise PolicyError(f"an expression that Python does not know: {pattern}")
        parts.append(_class(piece["class"]) if piece["class"] else piece[0])
        at = piece.end()
    text = _bytes("".join(parts))
    try:
        re.compile(text)
    except re.error as error:
        raise PolicyError(f"{pattern}: {error}") from error
    return text


def _class(text: str) -> str:
    """Return a class of characters, marked where Python would begin a nested set."""
    head = "[^" if text.startswith("[^") else "["

    def part(match: re.Match[str]) -> str:
        if len(match[0]) > 2 and match[0] not in _POSIX:
            raise PolicyError(f"a class that Python does not know: {text}")
        return _POSIX.get(match[0], match[0] if len(match[0]) == 2 else f"\\{match[0]}")

    return f"{head}{_IN_CLASS.sub(part, text[len(head) : -1])}]"


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
