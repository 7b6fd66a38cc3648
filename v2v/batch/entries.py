# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests of a plan: their sources, names and options."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from v2v.arguments import parser
from v2v.batch import values
from v2v.batch.places import Fields, Items, Node, Place, Problems, Text
from v2v.errors import ConfigError, SourceError, TargetError
from v2v.model import Machine
from v2v.option_keys import option_keys, suggestion
from v2v.options import Options, chosen
from v2v.path_maps import mapped
from v2v.sources import read
from v2v.sources.address import is_address, parse
from v2v.targets.naming import check_name

OPTION_KEYS = option_keys("convert")
GUEST_KEYS = ("source", "name", "wave", "timeout", "memory_limit", *OPTION_KEYS)
HERE = "localhost"  # the host of sources that are files

Value = TypeVar("Value")
Settings: TypeAlias = Mapping[str, tuple[Place, Node]]  # of keys: where each is, and its value


@dataclass(frozen=True, slots=True)
class Entry:
    """A guest that is to be converted."""

    name: str  # of the result; no two guests of a plan have one
    place: Place
    source: tuple[str, ...]
    words: tuple[str, ...]  # its options as the command line takes them
    options: Options = field(repr=False)
    wave: str
    host: str  # of the source
    target: str  # what the result goes to
    strict: bool = False  # warnings count
    timeout: float | None = None  # seconds
    memory_limit: int | None = None  # bytes
    machine: Machine | None = None  # as its files have it; None: on another host, or unreadable

    @property
    def argv(self) -> tuple[str, ...]:
        """Its options and sources, for the parser of the command line."""
        return (*self.words, "--", *self.source)


def settings(
    node: Node, keys: Sequence[str], problems: Problems, *, known: Sequence[str] = ()
) -> Settings:
    """Return a mapping's fields by their keys, of which each is known and there once.

    ``known`` are more keys to suggest for one that is not.
    """
    if not isinstance(node, Fields):
        if not (isinstance(node, Text) and node.value is None):
            problems.add(node.place, "must be a mapping of keys to values")
        return {}
    found: dict[str, tuple[Place, Node]] = {}
    for key, value in node.pairs:
        name = key.value or ""
        if name not in keys:
            problems.add(
                key.place, f"{name}: there is no such key", suggestion(name, (*keys, *known))
            )
        elif name in found:
            problems.add(key.place, f"{name}: is given twice, first at {found[name][0]}")
        else:
            found[name] = (key.place, value)
    return found


def merged(defaults: Settings, of_guest: Settings) -> Settings:
    """Return a guest's settings; one without a value takes back the default."""
    both = {**defaults, **of_guest}
    return {
        key: (place, node)
        for key, (place, node) in both.items()
        if not (isinstance(node, Text) and node.value is None)
    }


class Reader:
    """Makes guests of what a plan says; ``folder`` is where its relative paths begin."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        self.problems = problems
        self._folder = folder
        self._parser = parser()

    def entries(self, place: Place, given: Settings, wave: str | None) -> Iterator[Entry]:
        """Yield a guest, or several where its source is a pattern."""
        words = self._words(given)
        timeout = self._value(given, "timeout", values.seconds)
        memory_limit = self._value(given, "memory_limit", values.memory)
        number = self._value(given, "wave", partial(values.number, least=0))
        for source in self._sources(place, given):
            with chdir(self._folder):
                read = self._read(place, given, words, source)
            if read is None:
                continue
            args, options, machine = read
            name = options.name or _name(source, machine)
            if not self._is_name(name, place):
                continue
            named = words if options.name else (*words, f"--output-name={name}")
            yield Entry(
                name, place, source, named, options, wave or str(1 if number is None else number),
                _host(source), _target(options, self._folder), args.strict, timeout, memory_limit,
                machine,
            )  # fmt: skip

    def _value(self, given: Settings, key: str, meaning: Callable[[Node], Value]) -> Value | None:
        if key not in given:
            return None
        _, node = given[key]
        try:
            return meaning(node)
        except ValueError as error:
            self.problems.add(node.place, f"{key}: {error}")
            return None

    def _words(self, given: Settings) -> tuple[str, ...]:
        """Return the options as words."""
        words: list[str] = []
        if "name" in given and "output_name" in given:
            self.problems.add(given["name"][0], "name: output_name says that already")
        for key, (_, node) in given.items():
            option = OPTION_KEYS.get("output_name" if key == "name" else key)
            if option is None:
                continue
            try:
                words += option.words(_plain(node))
            except ValueError as error:
                self.problems.add(node.place, f"{key}: {error}")
        return tuple(words)

    def _sources(self, place: Place, given: Settings) -> Iterator[tuple[str, ...]]:
        """Yield what makes each guest."""
        if "source" not in given:
            self.problems.add(place, "a guest without a source", "source: is a file or an address")
            return
        _, node = given["source"]
        if isinstance(node, Items):
            images = [item.value for item in node.items if isinstance(item, Text) and item.value]
            if not images or len(images) < len(node.items):
                self.problems.add(node.place, "source: is a list of the images of one guest")
            there = [self._is_there(item) for item in node.items]
            if images and all(there):
                yield tuple(images)
        elif isinstance(node, Text) and node.value:
            yield from ((path,) for path in self._found(node, node.value))
        else:
            self.problems.add(node.place, "source: is a file, an address or a list of images")

    def _found(self, node: Text, value: str) -> Iterator[str]:
        """Yield the address or the file, or the files that a pattern fits."""
        if value == "-":
            self.problems.add(node.place, "source: a batch has no standard input to read")
        elif is_address(value):
            if self._is_guest(node, value):
                yield value
        elif glob.has_magic(value) and not (self._folder / value).exists():
            # Path.glob() takes no absolute pattern.
            paths = sorted(glob.glob(value, root_dir=self._folder, recursive=True))  # noqa: PTH207
            if not paths:
                self.problems.add(node.place, f"source: no file fits {value}")
            yield from paths
        elif self._is_there(node):
            yield value

    def _is_guest(self, node: Text, address: str) -> bool:
        try:
            name = parse(address).name
        except ConfigError as error:
            finding = error.finding
            self.problems.add(node.place, finding.message, finding.hint, finding.code)
            return False
        if not name:
            hint = f"v2v list --format plan {address} writes all down"
            self.problems.add(node.place, f"source: {address}: no guest is named", hint)
        return bool(name)

    def _is_there(self, node: Node) -> bool:
        there = not (isinstance(node, Text) and node.value) or (self._folder / node.value).exists()
        if not there:
            self.problems.add(node.place, f"source: {values.text(node)}: there is no such file")
        return there

    def _read(
        self, place: Place, given: Settings, words: Sequence[str], source: tuple[str, ...]
    ) -> tuple[argparse.Namespace, Options, Machine | None] | None:
        """Return what options say, and what files do; None if the options do not go together."""
        args = self._parser.parse_args(["convert", *words, "--", *source])
        try:
            options = chosen(args)
        except ConfigError as error:
            at = self._culprit(given, source) or place
            self.problems.add(at, error.finding.message, error.finding.hint, error.finding.code)
            return None
        if is_address(source[0]):
            return args, options, None
        try:
            machine = read(
                source, options.input_kind, options.input_format, options.access, options.system
            )
        except SourceError:  # a compressed export, or what will be told of when it is its turn
            return args, options, None
        except ConfigError as error:
            self.problems.add(place, error.finding.message, error.finding.hint, error.finding.code)
            return None
        return args, options, mapped(machine, options.path_maps)

    def _culprit(self, given: Settings, source: tuple[str, ...]) -> Place | None:
        """Return the place of the first option that is refused by itself."""
        for key, (_, node) in given.items():
            option = OPTION_KEYS.get(key)
            if option is None:
                continue
            try:
                words = option.words(_plain(node))
                chosen(self._parser.parse_args(["convert", *words, "--", *source]))
            except ConfigError:
                return node.place
            except ValueError:  # it is told of already
                continue
        return None

    def _is_name(self, name: str, place: Place) -> bool:
        try:
            check_name(name)
        except TargetError as error:
            self.problems.add(place, error.finding.message, "give it an output_name", "E-NAME")
            return False
        return True


def _plain(node: Node) -> str | tuple[str, ...]:
    """Return a value as an option takes it. Raises ValueError."""
    if isinstance(node, Items):
        return tuple(values.text(item) for item in node.items)
    return values.text(node)


def _name(source: tuple[str, ...], machine: Machine | None) -> str:
    """Return the name of a guest that is given none: its own, or that of its address or file."""
    if machine is not None:
        return machine.name
    if is_address(source[0]):
        return parse(source[0]).name.rpartition("/")[2]
    return Path(source[0]).stem


def _host(source: tuple[str, ...]) -> str:
    return parse(source[0]).host if is_address(source[0]) else HERE


def _target(options: Options, folder: Path) -> str:
    """Return what guests share that go to one place: a folder, or what stands for it."""
    if options.in_folder:
        return os.path.normpath(folder / options.storage)
    return f"{options.output}:{options.storage}"
