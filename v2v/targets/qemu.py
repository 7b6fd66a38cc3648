# SPDX-License-Identifier: LGPL-2.1-or-later
"""The qemu output: what the local output leaves, and a script that starts the guest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from v2v.domain import Domain, File
from v2v.errors import ProofError, TargetError
from v2v.host_support import HostSupport
from v2v.model import TargetDisk
from v2v.options import Options
from v2v.output_options import OutputOptions
from v2v.proof import firmware
from v2v.proof.hardware import Uefi
from v2v.targets.local import LocalTarget, require_absent
from v2v.targets.naming import script_path
from v2v.targets.qemu_script import script
from v2v.targets.target import Writing

_MAX_NAME = 90  # bytes; a socket's path has 107 (unix(7)), and ours add up to 10 to the name


class QemuTarget(LocalTarget):
    """A folder on this host, whose guests are started by hand."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._options = options.output_options

    def check(self, name: str, disks: Sequence[TargetDisk], estimates: Sequence[int]) -> None:
        if len(name.encode()) > _MAX_NAME:
            raise TargetError(
                "E-NAME",
                f"guest name {name!a}: it is longer than {_MAX_NAME} bytes, and QEMU's monitor"
                " listens at a socket of this name",
                hint="choose a shorter name with -on NAME",
            )
        super().check(name, disks, estimates)
        require_absent([script_path(self._folder, name)])

    def support(self, name: str) -> HostSupport:
        return HostSupport(
            efi=_has_firmware(Uefi()), secure_boot=_has_firmware(Uefi(secure=True, enrolled=True))
        )

    @contextmanager
    def writing(self, name: str, disks: Sequence[TargetDisk]) -> Iterator[Writing]:
        with super().writing(name, disks) as local:
            yield _QemuWriting(local, script_path(self._folder, name), self._options)


class _QemuWriting(Writing):
    """Adds the script to what is written."""

    def __init__(self, local: Writing, path: Path, options: OutputOptions) -> None:
        self._local = local
        self._path = path
        self._options = options

    @property
    def images(self) -> tuple[tuple[TargetDisk, Path], ...]:
        return self._local.images

    def commit(self, domain: Domain, report: str) -> tuple[Path, ...]:
        text = script(domain.xml, self._path.parent, self._options)
        file = File(self._path, text.encode(), 0o777)  # less the umask
        rest = self._local.commit(replace(domain, files=(*domain.files, file)), report)
        return (self._path, *(path for path in rest if path != self._path))


def _has_firmware(uefi: Uefi) -> bool:
    try:
        firmware.choose(uefi, q35=True)
    except ProofError:
        return False
    return True
