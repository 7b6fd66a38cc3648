# SPDX-License-Identifier: LGPL-2.1-or-later
"""The local output: images, libvirt domain XML and report in a folder, all of them or none.

Everything grows in a hidden work folder inside the target folder, so on the same file system. The
final names appear at the very end and are never written over.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from v2v.disks.scratch import abandoned, work_folder
from v2v.disks.space import require_space
from v2v.domain import Domain
from v2v.errors import TargetError
from v2v.model import Allocation, DiskFormat, TargetDisk
from v2v.targets.naming import check_name, definition_path, disk_path, prints, report_path

# How file systems say that they have no hard links: FAT, exFAT, some of FUSE and SMB.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_FINALS = ".finals"  # in a work folder: the names that its files are about to get


class LocalTarget:
    """A folder on this host."""

    def __init__(self, storage: Path, format: DiskFormat, allocation: Allocation) -> None:
        # libvirt wants absolute paths; symbolic links in them are the user's choice and stay.
        self._folder = storage.absolute()
        self._format = format
        self._allocation = allocation

    def disks(self, name: str, sizes: Sequence[int]) -> tuple[TargetDisk, ...]:
        check_name(name)
        return tuple(
            TargetDisk(
                disk_path(self._folder, name, index, self._format),
                self._format,
                size,
                self._allocation,
            )
            for index, size in enumerate(sizes)
        )

    def check(self, name: str, disks: Sequence[TargetDisk], estimates: Sequence[int]) -> None:
        _check_folder(self._folder)
        self._check_absent(name, disks)
        preallocated = self._allocation is Allocation.preallocated
        needed = sum(disk.virtual_bytes for disk in disks) if preallocated else sum(estimates)
        require_space(self._folder, needed)

    def _check_absent(self, name: str, disks: Sequence[TargetDisk]) -> None:
        finals = [definition_path(self._folder, name), report_path(self._folder, name)]
        there = [
            path for path in (*finals, *(disk.path for disk in disks)) if os.path.lexists(path)
        ]
        if there:
            raise TargetError(
                "E-TARGET-EXISTS",
                f"{', '.join(map(str, there))}: exists already",
                hint="remove what is there, or choose another name with -on or folder with -os",
            )

    @contextmanager
    def writing(self, name: str, disks: Sequence[TargetDisk]) -> Iterator[LocalWriting]:
        with ExitStack() as stack:
            try:
                work = stack.enter_context(work_folder(self._folder, name))
            except OSError as error:
                raise _not_written(self._folder, error) from error
            yield LocalWriting(self._folder, name, work, disks)

    def recovered(self, name: str) -> bool:
        if not self._folder.is_dir():
            return False
        definition = definition_path(self._folder, name)
        # Where there are no links, a name is taken by an empty file first.
        whole = definition.exists() and definition.stat().st_size > 0
        for work in abandoned(self._folder, name):
            if not whole:
                _withdraw(work, self._folder)
            shutil.rmtree(work)
        return whole


class LocalWriting:
    """A guest's files while they grow in the work folder."""

    def __init__(self, folder: Path, name: str, work: Path, disks: Sequence[TargetDisk]) -> None:
        self._folder = folder
        self._name = name
        self._work = work
        self.images = tuple((disk, work / disk.path.name) for disk in disks)

    def commit(self, domain: Domain, report: str) -> tuple[Path, ...]:
        definition = definition_path(self._folder, self._name)
        summary = report_path(self._folder, self._name)
        # The definition comes last: who sees it may start the guest.
        files = [path for path, _ in domain.files]
        finals = [*(disk.path for disk, _ in self.images), *files, summary, definition]
        mode = 0o600 if domain.has_password else 0o666  # less the umask; the report quotes the XML
        try:
            for path, data in domain.files:
                _write(self._work / path.name, data, 0o600)  # an initramfs may hold keys
            _write(self._work / definition.name, domain.xml.encode(), mode)
            _write(self._work / summary.name, report.encode(), mode)
            for final in finals:
                _sync(self._work / final.name)
            self._publish(finals)
        except OSError as error:
            raise _not_written(self._folder, error) from error
        return (definition, summary, *(disk.path for disk, _ in self.images), *files)

    def _publish(self, finals: Sequence[Path]) -> None:
        """Give every file its final name; if one cannot have it, none has."""
        listing = self._work / _FINALS
        _write(listing.with_suffix(".new"), "\0".join(each.name for each in finals).encode(), 0o600)
        listing.with_suffix(".new").rename(listing)
        with ExitStack() as undo:
            for final in finals:
                _appear(self._work / final.name, final)
                undo.callback(final.unlink)
            _sync(self._folder)
            undo.pop_all()


def _appear(partial: Path, final: Path) -> None:
    """Give a file its final name, which must be free: rename(2) would write over what is there."""
    try:
        os.link(partial, final)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Take the name first, so that only our own empty file is written over.
        os.close(os.open(final, os.O_CREAT | os.O_EXCL, 0o600))
        with ExitStack() as undo:
            undo.callback(final.unlink)
            partial.replace(final)
            undo.pop_all()


def _withdraw(work: Path, folder: Path) -> None:
    """Take back the names that a killed conversion had given to some of its files."""
    listing = work / _FINALS
    names = listing.read_text().split("\0") if listing.exists() else ()
    for partial, final in ((work / name, folder / name) for name in names):
        if os.path.lexists(final) and _is_of(final.lstat(), partial):
            final.unlink()


def _is_of(final: os.stat_result, partial: Path) -> bool:
    """Tell whether a file is one of a work folder: linked, moved, or its name only taken."""
    if not partial.exists():
        return True
    return os.path.samestat(final, partial.lstat()) or final.st_size == 0


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _sync(path: Path) -> None:
    """Have a file or folder on the disk itself: qemu-img leaves that to the kernel's own time."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_folder(folder: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except OSError as error:
        raise TargetError(
            "E-TARGET-FOLDER",
            f"{folder}: {_reason(error)}",
            hint="make this folder, or choose another one with -os",
        ) from error
    if not is_folder:
        raise TargetError(
            "E-TARGET-FOLDER", f"{folder}: not a folder", hint="choose a folder with -os"
        )
    if not prints(str(folder)):
        raise TargetError(
            "E-TARGET-FOLDER",
            f"{str(folder)!a}: a domain XML cannot hold this path",
            hint="choose a folder with -os whose path has printing characters only",
        )
    # access(2) knows of read-only file systems and immutable folders too, so it binds root as well.
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TargetError(
            "E-TARGET-FOLDER",
            f"{folder}: this folder cannot be written to",
            hint="choose another folder with -os, or look at its permissions and how it is mounted",
        )


def _not_written(folder: Path, error: OSError) -> TargetError:
    return TargetError(
        "E-TARGET-WRITE",
        f"{error.filename2 or error.filename or folder}: {_reason(error)}",
        hint="nothing was left behind; put the cause right and convert again",
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
