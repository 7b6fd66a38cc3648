# SPDX-License-Identifier: LGPL-2.1-or-later
"""Defaults of options in files: v2v.yaml of the system, then the user's, which wins.

They are words in front of those of the command line, and left out where it names the same option.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from v2v.arguments import parser
from v2v.batch.places import Fields, Items, Node, Place, Problems, Text, read
from v2v.errors import PlanError
from v2v.option_keys import OptionKey, option_keys, suggestion, verb_parsers

SYSTEM = Path("/etc/v2v/v2v.yaml")


def files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that there are, the system's first (XDG Base Directory Specification)."""
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/"), ".config")
    return tuple(path for path in (SYSTEM, Path(home, "v2v/v2v.yaml")) if path.is_file())


def completed(argv: Sequence[str], verb: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a command line with what the files say of its verb. Raises PlanError."""
    found = files(environ)
    if not found:
        return tuple(argv)
    problems = Problems()
    chosen: dict[str, tuple[str, ...]] = {}
    for path in found:
        chosen |= _words(path, verb, problems)
    if problems.found:
        raise PlanError(problems.found)
    named = _named(argv)
    words = [
        word
        for name, those in chosen.items()
        if name not in named and not (name.startswith("output_") and "output" in named)
        for word in those
    ]
    at = argv.index(verb) + 1
    return (*argv[:at], *words, *argv[at:])


def _words(path: Path, verb: str, problems: Problems) -> dict[str, tuple[str, ...]]:
    """Return what a file has of a verb's options, as words of a command line."""
    of_verb = option_keys(verb)
    known = {name for each in verb_parsers(parser()) for name in option_keys(each)}
    words = {}
    for key, value in _pairs(path, problems):
        name = key.value or ""
        if name not in known:
            message = f"{name}: there is no such option"
            problems.add(key.place, message, suggestion(name, sorted(known)), "E-CONFIG")
        elif name in words:
            problems.add(key.place, f"{name}: is given twice", code="E-CONFIG")
        elif name in of_verb:
            words[name] = _said(of_verb[name], value, problems)
    return words


def _pairs(path: Path, problems: Problems) -> Iterator[tuple[Text, Node]]:
    top = read(path)
    if isinstance(top, Fields):
        yield from top.pairs
    elif not (isinstance(top, Text) and top.value is None):
        problems.add(top.place, "must be a mapping of options to values", code="E-CONFIG")


def _said(key: OptionKey, node: Node, problems: Problems) -> tuple[str, ...]:
    """Return an option's words; none where nothing is written, which takes the default back."""
    place: Place = node.place
    try:
        match node:
            case Text(value=None):
                return ()
            case Text(value=str(value)):
                return key.words(value)
            case Items(items=items):
                return key.words([_text(item) for item in items])
            case _:
                raise ValueError("takes no mapping")
    except ValueError as error:
        problems.add(place, f"{key.name}: {error}", code="E-CONFIG")
        return ()


def _text(node: Node) -> str:
    if isinstance(node, Text) and node.value is not None:
        return node.value
    raise ValueError("takes a list of texts")


def _named(argv: Sequence[str]) -> set[str]:
    """Return the options that a command line names itself."""
    top = parser()
    for verb in verb_parsers(top).values():
        for action in verb._actions:
            action.default = argparse.SUPPRESS
    return set(vars(top.parse_args(argv)))
