# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which UEFI image a domain starts with: QEMU's firmware descriptors (docs/interop/firmware.json).

Descriptors are tried in the order of their file names; one in /etc stands in for one of the same
name in /usr. libvirt chooses by the same rules for ``<os firmware='efi'>``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from v2v.errors import ProofError
from v2v.proof.hardware import Uefi

FOLDERS = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))
_MACHINES = {True: "pc-q35-9.0", False: "pc-i440fx-9.0"}  # any version: the patterns end in *


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware image and the template for its variables."""

    code: Path
    variables: Path
    features: frozenset[str]
    machines: tuple[str, ...]  # patterns

    def fits(self, uefi: Uefi, machine: str) -> bool:
        """Tell whether the image is what the domain asks for."""
        secure = bool(self.features & {"secure-boot", "requires-smm"})
        return (
            any(fnmatch(machine, pattern) for pattern in self.machines)
            and secure == uefi.secure
            and ("enrolled-keys" in self.features) == uefi.enrolled
        )


def choose(uefi: Uefi, *, q35: bool, folders: tuple[Path, ...] = FOLDERS) -> tuple[Path, Path]:
    """Return the files for code and variables, the latter to be copied.

    Raises ProofError (E-PROOF-FIRMWARE).
    """
    if uefi.code and uefi.variables:
        return uefi.code, uefi.variables
    for image in _images(folders):
        asked = image.code == uefi.code if uefi.code else image.fits(uefi, _MACHINES[q35])
        if asked:
            return image.code, uefi.variables or image.variables
    kind = "UEFI firmware with Secure Boot" if uefi.secure else "UEFI firmware"
    raise ProofError(
        "E-PROOF-FIRMWARE",
        f"{uefi.code}: no variables are known for this firmware"
        if uefi.code
        else f"no {kind} for {'q35' if q35 else 'pc'} is installed",
        hint="apt-get install ovmf",
    )


def _images(folders: tuple[Path, ...]) -> Iterator[Image]:
    found: dict[str, Path] = {}
    for folder in reversed(folders):  # the first one wins
        found |= {path.name: path for path in folder.glob("*.json")}
    for name in sorted(found):
        image = _image(found[name])
        if image is not None and image.code.is_file() and image.variables.is_file():
            yield image


def _image(descriptor: Path) -> Image | None:
    """Return a descriptor's image; None if it is not UEFI in flash for x86-64."""
    try:
        text = json.loads(descriptor.read_bytes())
        if "uefi" not in text["interface-types"] or text["mapping"]["device"] != "flash":
            return None
        machines = [
            pattern
            for target in text["targets"]
            if target["architecture"] == "x86_64"
            for pattern in target["machines"]
        ]
        return Image(
            Path(text["mapping"]["executable"]["filename"]),
            Path(text["mapping"]["nvram-template"]["filename"]),
            frozenset(text["features"]),
            tuple(machines),
        )
    except (ValueError, KeyError, TypeError):
        return None  # stateless images have no template; foreign formats are for others to report
