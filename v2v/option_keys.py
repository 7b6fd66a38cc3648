# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options by their names in files: the long ones of the command line, with ``_`` for ``-``.

They are derived from the parser of the command line, so a new option is a new key.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from v2v.arguments import parser

_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")  # as YAML 1.1 has them
# How a run talks is chosen where it is started.
_TALK = frozenset(
    {
        "help",
        "quiet",
        "verbose",
        "machine_readable",
        "format",
        "source_only",
        "report",
        "log_file",
        "no_config",
    }
)


@dataclass(frozen=True, slots=True)
class OptionKey:
    """An option of a verb, and how a value in a file becomes words of a command line."""

    name: str
    action: argparse.Action

    @property
    def is_flag(self) -> bool:
        """Whether it is there or not, and takes no value."""
        return self.action.nargs == 0

    @property
    def is_repeatable(self) -> bool:
        """Whether it takes a list."""
        return isinstance(self.action, argparse._AppendAction)

    def words(self, value: str | Sequence[str]) -> tuple[str, ...]:
        """Return a value as words. Raises ValueError with what is wrong with it."""
        option = self.action.option_strings[-1]
        if self.is_flag:
            return (option,) if _is_yes(value) else ()
        values = (value,) if isinstance(value, str) else tuple(value)
        if not self.is_repeatable and not isinstance(value, str):
            raise ValueError("takes one value, and no list")
        for each in values:
            self._check(each)
        return tuple(f"{option}={each}" for each in values)

    def _check(self, text: str) -> None:
        """Raise ValueError unless the parser would take a value."""
        choices = [str(choice) for choice in self.action.choices or ()]
        if choices and text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        if self.action.type is not None and not choices:
            assert callable(self.action.type)  # no parser of ours has registered types
            try:
                self.action.type(text)
            except argparse.ArgumentTypeError as error:
                raise ValueError(str(error)) from error
            except ValueError as error:
                raise ValueError(f"{text!r} is not a value for it") from error


def _is_yes(value: str | Sequence[str]) -> bool:
    if isinstance(value, str) and value.lower() in (*_YES, *_NO):
        return value.lower() in _YES
    raise ValueError("is true or false")


def verb_parsers(top: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parsers of all verbs of a command line."""
    verbs = next(each for each in top._actions if isinstance(each, argparse._SubParsersAction))
    return dict(verbs.choices)


def option_keys(verb: str) -> Mapping[str, OptionKey]:
    """Return the options of a verb by their names in files."""
    return {
        action.dest: OptionKey(action.dest, action)
        for action in verb_parsers(parser())[verb]._actions
        if action.option_strings and action.dest not in _TALK
    }


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return what to do about an unknown key."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
