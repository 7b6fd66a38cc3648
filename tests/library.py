# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of docs/library.md, which the tests run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs/library.md"


@dataclass(frozen=True, slots=True)
class Example:
    """A block of code, and where it is."""

    line: int
    kind: str  # "", "guest" or "every": what has to be there for it to run, as in pytest's markers
    code: str

    def run(self, names: dict[str, object]) -> None:
        """Run it with the names that those before it left."""
        padded = "\n" * self.line + self.code  # so that a traceback has the page's lines
        exec(compile(padded, str(PAGE), "exec"), names)


def examples() -> list[Example]:
    """Return all examples in their order."""
    text = PAGE.read_text(encoding="utf-8")
    return [
        Example(text[: match.start()].count("\n") + 1, (match[1] or "").strip(), match[2])
        for match in re.finditer(r"^```python( \w+)?\n(.*?)^```$", text, re.M | re.S)
    ]
