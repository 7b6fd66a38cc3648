# SPDX-License-Identifier: LGPL-2.1-or-later
"""Words of QEMU's command line (qemu(1))."""

from __future__ import annotations

from pathlib import Path

Pair = tuple[str, str]  # an option and its value


def join(first: object = "", **values: object) -> str:
    """Return an option's value; a comma inside of one is written twice (qemu(1)), None is out."""
    named = [f"{name}={text}" for name, text in values.items() if text is not None]
    words = [str(first), *named] if first else named
    return ",".join(word.replace(",", ",,") for word in words)


def device(driver: str, **values: object) -> Pair:
    """Return a -device."""
    return "-device", join(driver, **values)


def chardev(kind: str, name: str, path: Path | None = None, **values: object) -> Pair:
    """Return a -chardev."""
    return "-chardev", join(kind, id=name, path=path, **values)


def blockdev(driver: str, name: str, file: Path, **values: object) -> Pair:
    """Return a -blockdev over a file of this host."""
    return "-blockdev", join(
        **{"driver": driver, "node-name": name, **values},
        **{"file.driver": "file", "file.filename": file},
    )


def on(flag: bool) -> str:
    """Return a switch as QEMU spells it."""
    return "on" if flag else "off"
