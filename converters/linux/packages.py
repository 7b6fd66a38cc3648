# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which packages are installed, read from dpkg's own database; no program of the guest is run."""

from __future__ import annotations

import re

from v2v.files import Files

_STATUS = "/var/lib/dpkg/status"
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_FIELD = re.compile(r"^(Package|Status|Version): *(.*?) *$", re.MULTILINE)
_GONE = frozenset({"not-installed", "config-files"})  # the third word of Status, dpkg-query(1)


def installed(files: Files) -> dict[str, str]:
    """Return the installed packages and their versions; none where there is no dpkg."""
    try:
        text = files.read(_STATUS).decode(errors="replace")
    except FileNotFoundError:
        return {}
    found = {}
    for paragraph in _PARAGRAPHS.split(text):
        fields = dict(_FIELD.findall(paragraph))
        state = fields.get("Status", "").split()
        if len(state) == 3 and state[2] not in _GONE and "Package" in fields:
            found[fields["Package"]] = fields.get("Version", "")
    return found
