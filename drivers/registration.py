# SPDX-License-Identifier: LGPL-2.1-or-later
"""Edits the configuration of initramfs tools, so that the next initramfs that the guest makes has
virtio too: text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

INITRAMFS_TOOLS = "/etc/initramfs-tools/modules"

_NOTE = "# virtio, for KVM (added by v2v)"


def initramfs_tools(text: str, modules: Iterable[str]) -> str:
    """Return /etc/initramfs-tools/modules with the modules in it; those there are left alone.

    Each line has a module and its options (initramfs-tools(7)). The file is copied into the
    initramfs as conf/modules, and what it names is loaded before the root is looked for.
    """
    there = {words[0].replace("-", "_") for line in text.splitlines() if (words := line.split())}
    lacking = [name for name in modules if name not in there]
    if not lacking:
        return text
    return _ended(text) + "".join(f"{line}\n" for line in (_NOTE, *lacking))


def dracut_drivers(modules: Iterable[str]) -> str:
    """Return a file for /etc/dracut.conf.d that has modules put in, dracut.conf(5)."""
    return f'{_NOTE}\nadd_drivers+=" {" ".join(modules)} "\n'


def words(text: str, key: str) -> list[str] | None:
    """Return the words of the last assignment to a shell variable, None if there is none."""
    found = list(_assignment(key).finditer(text))
    return found[-1]["words"].split() if found else None


def with_words(text: str, key: str, add: Iterable[str], *, array: bool = False) -> str:
    """Return shell assignments with words added to the last one of a variable, if they lack.

    It may be KEY="a b" or KEY=(a b); where there is none, one is made, ``array`` tells which.
    """
    found = list(_assignment(key).finditer(text))
    if not found:
        opened, closed = "()" if array else '""'
        return f"{_ended(text)}{key}={opened}{' '.join(add)}{closed}\n"
    last = found[-1]
    there = {_normal(word) for word in last["words"].split()}
    lacking = [word for word in add if _normal(word) not in there]
    blank = ("\n" if "#" in last["words"] else " ") if lacking and there else ""
    at = last.start("words") + len(last["words"].rstrip())
    return text[:at] + blank + " ".join(lacking) + text[at:]


def without_words(text: str, key: str, drop: re.Pattern[str]) -> str:
    """Return shell assignments with the words that match dropped from all of a variable."""

    def kept(word: re.Match[str]) -> str:
        return "" if drop.fullmatch(_normal(word["word"])) else word[0]

    def edited(match: re.Match[str]) -> str:
        words = re.sub(r"\s*(?P<word>\S+)", kept, match["words"])
        return match["head"] + words + match["close"]

    return _assignment(key).sub(edited, text)


def _assignment(key: str) -> re.Pattern[str]:
    return re.compile(
        rf"^(?P<head>[ \t]*{key}\+?=[\"'(])(?P<words>[^\"')]*)(?P<close>[\"')])", re.MULTILINE
    )


def _normal(word: str) -> str:
    return word.replace("-", "_").removesuffix(".ko")


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"
