# SPDX-License-Identifier: LGPL-2.1-or-later
"""The encodings that VMware's text files name: .encoding of a VMX file, encoding of a VMDK."""

from __future__ import annotations

import codecs
import re

_WINDOWS_CODE_PAGE = re.compile(r"(?:windows|ms)-?(874|932|936|949|950)", re.IGNORECASE)
_ENCODINGS = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp\d{3,4}|shift_jis|gbk|gb2312|gb18030|big5|big5hkscs"
    r"|euc_jp|euc_kr|koi8-r"
)


def codec(given: str) -> str | None:
    """Return Python's name of an encoding, None for one that text files cannot be in."""
    try:
        known = "cp932" if given.lower() == "windows-31j" else given  # Shift_JIS in Java's words
        name = codecs.lookup(_WINDOWS_CODE_PAGE.sub(r"cp\1", known)).name
    except (LookupError, ValueError):
        return None
    return name if _ENCODINGS.fullmatch(name) else None
