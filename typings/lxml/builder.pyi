# SPDX-License-Identifier: LGPL-2.1-or-later
# What v2v uses of lxml.builder, which lxml-stubs leaves out; no __init__.pyi, so that lxml-stubs
# still speaks for the rest of the package.
from collections.abc import Mapping

from lxml.etree import _Element

class ElementMaker:
    def __init__(
        self, *, namespace: str | None = None, nsmap: Mapping[str, str] | None = None
    ) -> None: ...
    def __call__(self, tag: str, *children: _Element | str, **attributes: str) -> _Element: ...
    def __getattr__(self, tag: str) -> _Tag: ...

class _Tag:
    def __call__(self, *children: _Element | str, **attributes: str) -> _Element: ...

E: ElementMaker
