# SPDX-License-Identifier: LGPL-2.1-or-later
"""Text files as values that know their place: YAML, JSON (which is YAML here) and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

from v2v.errors import Finding, PlanError

_MAX_BYTES = 16 << 20  # of a file; a plan of ten thousand guests is 1 MiB
_MAX_DEPTH = 7  # of a list of a guest in a wave
_NUL, _NO_TEXT = "\0", "holds a NUL, which no name can have"
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; line and column count from 1."""

    file: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar as it is written; what it means is its key's to say. None: nothing is written."""

    place: Place
    value: str | None


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping; keys that come twice are there twice."""

    place: Place
    pairs: tuple[tuple[Text, Node], ...]


Node: TypeAlias = Text | Items | Fields


@dataclass(slots=True)
class Problems:
    """What is found wrong; the search goes on."""

    _found: list[tuple[Place, Finding]] = field(default_factory=list)

    @property
    def found(self) -> tuple[Finding, ...]:
        """All of them, each once, in the order of their places."""
        in_order = sorted(self._found, key=lambda each: (each[0].line, each[0].column))
        return tuple(dict.fromkeys(finding for _, finding in in_order))

    def add(self, place: Place, message: str, hint: str | None = None, code: str = "") -> None:
        """Tell of a problem at a place."""
        self._found.append((place, Finding(code or "E-PLAN", f"{place}: {message}", hint)))

    def refer(self, place: Place, error: PlanError) -> None:
        """Tell of what is wrong with a file that is named at a place."""
        self._found += [(place, finding) for finding in error.findings]


def read(path: Path) -> Node:
    """Return the content of a file, by its suffix CSV, or YAML and JSON. Raises PlanError."""
    start = Place(path, 1, 1)
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise _unusable(path, (error.strerror or str(error)).lower()) from error
    except UnicodeDecodeError as error:
        raise _unusable(start, "is not UTF-8") from error
    if len(data) > _MAX_BYTES:
        raise _unusable(start, "is larger than any plan")
    if _NUL in text:
        raise _unusable(Place(path, text[: text.index(_NUL)].count("\n") + 1, 1), _NO_TEXT)
    return _csv(text, path) if path.suffix.lower() == ".csv" else _yaml(text, path)


def _unusable(place: Place | Path, fact: str) -> PlanError:
    return PlanError((Finding("E-PLAN", f"{place}: {fact}"),))


def _yaml(text: str, path: Path) -> Node:
    start = Place(path, 1, 1)
    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
        return Text(start, None) if top is None else _Composed(path).node(top, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = start if mark is None else _place(mark, path)
        raise _unusable(place, error.problem or "is no YAML") from error
    except yaml.YAMLError as error:
        raise _unusable(start, f"is no YAML: {error}") from error
    except RecursionError as error:
        raise _unusable(start, "is nested deeper than any plan") from error


def _place(mark: yaml.Mark, path: Path) -> Place:
    return Place(path, mark.line + 1, mark.column + 1)


class _Composed:
    """Makes values of a parser's nodes; what aliases lead to is made once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[int, Node] = {}

    def node(self, node: yaml.Node, above: tuple[yaml.Node, ...]) -> Node:
        """Return a node; ``above`` it nothing is nested deeper than a plan is."""
        if id(node) in self._made:
            return self._made[id(node)]
        place = _place(node.start_mark, self._path)
        if node in above or len(above) > _MAX_DEPTH:  # an alias may lead to what it is in
            raise _unusable(place, "is nested deeper than any plan")
        inside = (*above, node)
        made: Node
        if isinstance(node, yaml.SequenceNode):
            made = Items(place, tuple(self.node(item, inside) for item in node.value))
        elif isinstance(node, yaml.MappingNode):
            made = Fields(place, tuple(self._pairs(node, inside)))
        else:
            if _NUL in node.value:
                raise _unusable(place, _NO_TEXT)
            made = Text(place, None if node.tag == _NULL else node.value)
        return self._made.setdefault(id(node), made)

    def _pairs(
        self, node: yaml.MappingNode, above: tuple[yaml.Node, ...]
    ) -> Iterator[tuple[Text, Node]]:
        for key, value in node.value:
            place = _place(key.start_mark, self._path)
            if not isinstance(key, yaml.ScalarNode):
                raise _unusable(place, "a key must be a word")
            yield Text(place, key.value), self.node(value, above)


def _csv(text: str, path: Path) -> Node:
    """Return a list with a mapping for each line, by the names in the first one."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    items: list[Node] = []
    head: list[Text] = []
    begin = 1
    try:
        for cells in lines:
            texts = [Text(Place(path, begin, at), cell or None) for at, cell in enumerate(cells, 1)]
            if not head:
                head = texts
            elif len(cells) > len(head):
                raise _unusable(Place(path, begin, len(head) + 1), "has no name in the first line")
            elif cells:
                named = zip(head, texts, strict=False)
                items.append(Fields(Place(path, begin, 1), tuple(named)))
            begin = lines.line_num + 1
    except csv.Error as error:
        raise _unusable(Place(path, begin, 1), str(error)) from error
    return Items(Place(path, 1, 1), tuple(items))
