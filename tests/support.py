# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes docs/support.md: what was shown of each distribution, by golden guests and the matrix.

A cell is filled by what there is: guests that were converted and booted by `make matrix`, and
guests of fixtures/guests whose plans the unit tests compare.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "support.md"
# Debian's programs in the layout, the identity and the package database of another distribution.
LOOK_ALIKES = frozenset({"esx-alma9", "xen-sles15"})
# What is asked for: the name, the words of os-release's ID, and the first parts of versions.
ASKED: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("Red Hat Enterprise Linux", ("rhel",), tuple(map(str, range(5, 11)))),
    ("CentOS", ("centos",), tuple(map(str, range(5, 11)))),
    ("AlmaLinux", ("almalinux",), ("8", "9", "10")),
    ("Rocky Linux", ("rocky",), ("8", "9", "10")),
    ("Oracle Linux", ("ol",), tuple(map(str, range(5, 11)))),
    ("Scientific Linux", ("scientific",), ("5", "6", "7")),
    ("Circle Linux", ("circle",), ("8", "9")),
    ("Fedora", ("fedora",), ()),
    ("Amazon Linux", ("amzn",), ("2", "2023")),
    ("openEuler", ("openeuler",), ()),
    ("Kylin, NeoKylin", ("kylin", "neokylin"), ()),
    ("Anolis OS", ("anolis",), ()),
    ("TencentOS, OpenCloudOS", ("tencentos", "opencloudos"), ()),
    ("SUSE Linux Enterprise", ("sles", "sled"), ("11", "12", "15", "16")),
    ("openSUSE", ("opensuse", "opensuse-leap", "opensuse-tumbleweed"), ()),
    ("Debian", ("debian",), tuple(map(str, range(6, 14)))),
    ("Ubuntu", ("ubuntu",), ("12", "14", "16", "18", "20", "22", "24", "26")),
    ("Linux Mint", ("linuxmint",), ()),
    ("Kali", ("kali",), ()),
    ("ALT", ("altlinux",), ()),
    ("Arch Linux", ("arch",), ()),
    ("Alpine", ("alpine",), ()),
    ("Gentoo", ("gentoo",), ()),
    ("Void", ("void",), ()),
    ("Photon OS", ("photon",), ()),
    ("Mageia", ("mageia",), ()),
)
_HEAD = """\
# What was shown of each distribution

A conversion goes by what it finds in a guest, not by the distribution's name: boot loader,
initramfs tool, network stack, package database, init. What is not shown here is converted all the
same; prove it with `v2v verify`.

- **booted**: a real guest was converted and booted by `make matrix`, see [matrix.md](matrix.md).
  (L) is a look-alike: the layout, identity and package database of that distribution, with Debian's
  programs.
- **golden plan**: the plan for a tree of files in its layout is compared by the unit tests.
- **not shown**: of the versions that v2v is meant for, nothing of these was looked at.

| distribution | booted | golden plan | not shown |
|---|---|---|---|
"""

Versions = Mapping[str, set[str]]  # os-release's ID to the first parts of versions


def golden() -> dict[str, set[str]]:
    """Return what the golden guests are."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "fixtures" / "guests").glob("*/guest.json")):
        said = json.loads(path.read_text(encoding="utf-8"))["guest"]
        found.setdefault(said["distro"], set()).add(_major(said["version"]))
    return found


def booted(systems: Iterable[tuple[str, str, str]]) -> dict[str, set[str]]:
    """Return what booted: ``systems`` are names of real guests, IDs and versions."""
    found: dict[str, set[str]] = {}
    for name, distro, version in systems:
        mark = " (L)" if name in LOOK_ALIKES else ""
        found.setdefault(distro, set()).add(_major(version) + mark)
    return found


def _major(version: str) -> str:
    return version.partition(".")[0] or "rolling"


def page(started: Versions) -> str:
    """Return docs/support.md."""
    planned = golden()
    lines = [
        f"| {name} | {_cell(_of(started, ids))} | {_cell(_of(planned, ids))} "
        f"| {_cell(_missing(_of(started, ids) | _of(planned, ids), versions))} |\n"
        for name, ids, versions in ASKED
    ]
    return _HEAD + "".join(lines)


def _of(versions: Versions, ids: Iterable[str]) -> set[str]:
    return set[str]().union(*(versions.get(name, set()) for name in ids))


def _missing(shown: set[str], versions: tuple[str, ...]) -> set[str]:
    there = {version.removesuffix(" (L)") for version in shown}
    return set(versions) - there if versions else set() if there else {"all"}


def _cell(versions: set[str]) -> str:
    def order(version: str) -> tuple[bool, int, str]:
        number = version.removesuffix(" (L)")
        return not number.isdigit(), int(number) if number.isdigit() else 0, version

    return ", ".join(sorted(versions, key=order)) or "-"
