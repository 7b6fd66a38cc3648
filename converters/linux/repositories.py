# SPDX-License-Identifier: LGPL-2.1-or-later
"""Switches off the package repositories of the old hypervisor's vendor."""

from __future__ import annotations

import re

from converters.linux.conversion import Conversion
from v2v.changes import Draft

_HOST = re.compile(r"https?://([\w-]+\.)*vmware\.com[/:\s]", re.IGNORECASE)
_INI = ("/etc/yum.repos.d/*.repo", "/etc/zypp/repos.d/*.repo")
_SECTION = re.compile(r"^\[[^\]\n]+\][^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)
_ENABLED = re.compile(r"^enabled\s*=[^\n]*", re.MULTILINE)
_PARAGRAPH = re.compile(r"(?:^[^\n]*\S[^\n]*\n?)+", re.MULTILINE)
_DEB822_ENABLED = re.compile(r"^Enabled:[^\n]*\n", re.MULTILINE | re.IGNORECASE)
_WHY = "it has VMware's tools only, and is asked at each update"


def disable_vendor_repositories(draft: Draft, conversion: Conversion) -> None:
    """Switch VMware's repositories off: yum.conf(5), sources.list(5).

    Photon is VMware's own distribution, and gets its updates from there.
    """
    if conversion.guest.distro == "photon":
        return
    for pattern in _INI:
        for path in draft.glob(pattern):
            draft.write(path, _SECTION.sub(_off, draft.text(path)), why=_WHY)
    for path in draft.glob("/etc/apt/sources.list") + draft.glob("/etc/apt/sources.list.d/*.list"):
        lines = draft.text(path).splitlines(keepends=True)
        text = "".join(
            f"#{line}" if line.startswith("deb") and _HOST.search(line) else line for line in lines
        )
        draft.write(path, text, why=_WHY)
    for path in draft.glob("/etc/apt/sources.list.d/*.sources"):
        draft.write(path, _PARAGRAPH.sub(_off_deb822, draft.text(path)), why=_WHY)


def _off(match: re.Match[str]) -> str:
    section = match[0]
    if not _HOST.search(section):
        return section
    if _ENABLED.search(section):
        return _ENABLED.sub("enabled=0", section)
    head, _, rest = section.partition("\n")
    return f"{head}\nenabled=0\n{rest}"


def _off_deb822(match: re.Match[str]) -> str:
    paragraph = match[0]
    if not _HOST.search(paragraph):
        return paragraph
    return f"Enabled: no\n{_DEB822_ENABLED.sub('', paragraph)}"
