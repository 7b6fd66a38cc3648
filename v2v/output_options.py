# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the user may choose of the target beside its place, as -oo KEY=VALUE and kin say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, auto

from v2v.errors import ConfigError


class Conflict(StrEnum):
    """What becomes of a domain that has the guest's name already."""

    fail = auto()  # it stays, and nothing is done
    rename = auto()  # it stays, and the guest gets another name
    replaced = "replace"  # it goes, when the guest is complete


class CopyMode(StrEnum):
    """When the data of the source is copied."""

    full = auto()  # before the result appears
    lazy = auto()  # afterwards, while the guest runs on an overlay over its source


class Screen(StrEnum):
    """Where a script of -o qemu shows the guest's screen."""

    vnc = auto()
    spice = auto()
    gtk = auto()
    sdl = auto()
    none = auto()


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What -oo says."""

    volumes: tuple[str, ...] = ()  # that exist in the pool, in the order of the disks
    display: Screen | None = None  # None: as the source has it
    bridges: bool = False  # a script plugs NICs into bridges, by QEMU's helper


_KEYS: Mapping[str, tuple[str, ...]] = {"libvirt": ("volume",), "qemu": ("display", "bridges")}


def parse_output_options(mode: str, values: Iterable[str]) -> OutputOptions:
    """Return what -oo KEY=VALUE options say of an output mode. Raises ConfigError."""
    found = OutputOptions()
    for text in values:
        key, _, value = text.partition("=")
        known = key in _KEYS.get(mode, ())
        if known and key == "volume" and value:
            found = replace(found, volumes=(*found.volumes, value))
        elif known and key == "display" and value in set(Screen):
            found = replace(found, display=Screen(value))
        elif known and key == "bridges" and not value:
            found = replace(found, bridges=True)
        else:
            raise ConfigError(
                "E-USAGE",
                f"-oo {text}: -o {mode} has no such option",
                hint="-o libvirt has volume=NAME, -o qemu has display=vnc, spice, gtk, sdl or none,"
                " and bridges",
            )
    return found
