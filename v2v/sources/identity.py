# SPDX-License-Identifier: LGPL-2.1-or-later
"""What identifies a guest and its parts, in one normal form: names, UUIDs, MAC addresses, paths."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import TypeVar

from v2v.errors import SourceError

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?:([:-])[0-9a-fA-F]{1,2})(?:\1[0-9a-fA-F]{1,2}){4}")
_FILE_SUFFIX = re.compile(
    r"(?:\.(?:img|ova|ovf|qcow2|raw|vmdk|vmx|vmtx|vhd|vhdx|vdi|qed|hdd|cfg|xml|vbox)|-sda)\Z"
)

Guest = TypeVar("Guest")


def only_guest(guests: Sequence[tuple[str, Guest]], where: str, system: str | None) -> Guest:
    """Return the one guest of a file, given with names, or the one that is called ``system``.

    Raises SourceError for none or several.
    """
    found = [guest for name, guest in guests if system in (None, name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(name or "?" for name, _ in guests)
    held = f"has {len(guests)} guests ({names})" if guests else "has no guest"
    if system is not None:
        held += f", {len(found) or 'none'} of them called {system!r}"
    raise SourceError("E-SOURCE-MANY", f"{where}: {held}", hint="choose one: --system NAME")


def mac_address(text: str) -> str | None:
    """Return a MAC address in lower case with colons; None for what is none or is all zeros."""
    if _MAC.fullmatch(text) is None:
        return None
    mac = ":".join(part.lower().zfill(2) for part in re.split("[:-]", text))
    return None if mac == "00:00:00:00:00:00" else mac


def uuid_text(text: str) -> str | None:
    """Return a UUID as libvirt writes it, whatever blanks and dashes it came with, or None."""
    digits = re.sub(r"[\s{}-]", "", text)
    if re.fullmatch(r"[0-9a-fA-F]{32}", digits) is None:
        return None
    return str(uuid.UUID(digits))


def name_from_file(path: Path) -> str:
    """Return the guest's name where only a file name tells: without its suffix or ``-sda``."""
    name = _FILE_SUFFIX.sub("", path.name).strip()
    if not name:
        raise SourceError(
            "E-SOURCE-NAME",
            f"{path}: no guest name can be made of this file name",
            hint="give the guest a name with -on NAME, or rename the file",
        )
    return name


def local_path(text: str) -> tuple[str, bool]:
    r"""Return a file name in this system's form, and whether its folder was one of Windows.

    Of ``D:\guests\web.vmdk`` only the name is left: the file is looked for beside the guest.
    """
    drive = re.match(r"[A-Za-z]:[/\\]", text)
    if not drive and ("\\" not in text or "/" in text):
        return text, False
    windows = PureWindowsPath(text)
    return (windows.name, True) if windows.drive else (windows.as_posix(), False)


def image_path(where: str, folder: Path, text: str) -> str:
    """Return a disk image's path; a relative one is relative to the configuration's folder.

    ``where`` names the file and the disk in errors. Nothing is looked up on the host.
    """
    if not text.strip():
        raise SourceError("E-DISK-PATH", f"{where}: no image file is named")
    if any(ord(char) < 0x20 for char in text):
        raise SourceError("E-DISK-PATH", f"{where}: control character in the path {text!r}")
    return str(folder / text)
