# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs single steps on a few files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from converters.linux import Step, prepare
from converters.linux.conversion import Conversion
from tests.converters.guests import Case, load
from v2v.changes import Draft
from v2v.files import DictFiles, Link
from v2v.model import InitramfsMode

Content = Mapping[str, bytes | str | Link]


def case(name: str, content: Content, *, without: tuple[str, ...] = ()) -> Case:
    """A guest of fixtures/guests with some files replaced, added or taken away."""
    found = load(name)
    files = {path: data for path, data in found.files.content.items() if path not in without}
    return replace(found, files=DictFiles({**files, **content}))


def draft(
    step: Step, guest: Case, mode: InitramfsMode = InitramfsMode.auto
) -> tuple[Draft, Conversion]:
    """The draft of one step."""
    drafted = Draft(guest.files)
    conversion = prepare(drafted, guest.machine, guest.guest, mode)
    step(drafted, conversion)
    return drafted, conversion


def described(drafted: Draft) -> list[str]:
    """What a draft changes."""
    return [change.describe() for change in drafted.changes]
