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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from v2v.disks.scratch import abandoned, work_folder
from v2v.disks.space import require_space
from v2v.domain import Domain, File
from v2v.errors import TargetError
from v2v.model import Allocation, TargetDisk
from v2v.options import Options
from v2v.targets.naming import check_name, definition_path, disk_path, prints, report_path
from v2v.targets.target import Target, Writing

# How file systems say that they have no hard links: FAT, exFAT, some of FUSE and SMB.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_FINALS = ".finals"  # in a work folder: the names that its files are about to get


class LocalTarget(Target):
    """A folder on this host."""

    def __init__(self, options: Options) -> None:
        # libvirt wants absolute paths; symbolic links in them are the user's choice and stay.
        self._folder = options.storage.absolute()
        self._format = options.format
        self._allocation = options.allocation

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
        require_absent(
            [
                definition_path(self._folder, name),
                report_path(self._folder, name),
                *(disk.path for disk in disks),
            ]
        )
        preallocated = self._allocation is Allocation.preallocated
        needed = sum(disk.virtual_bytes for disk in disks) if preallocated else sum(estimates)
        require_space(self._folder, needed)

    @property
    def near(self) -> Path | None:
        return self._folder

    @contextmanager
    def writing(self, name: str, disks: Sequence[TargetDisk]) -> Iterator[Writing]:
        with staged(self._folder, name, disks) as staging:
            yield _LocalWriting(self._folder, name, staging)

    def recovered(self, name: str) -> bool:
        if not self._folder.is_dir():
            return False
        definition = definition_path(self._folder, name)
        # Where there are no links, a name is taken by an empty file first.
        whole = definition.exists() and definition.stat().st_size > 0
        take_back(self._folder, name, whole=whole)
        return whole


@contextmanager
def staged(folder: Path, name: str, disks: Sequence[TargetDisk]) -> Iterator[Staging]:
    """Have a work folder in the target folder, for as long as the block lasts."""
    with ExitStack() as stack:
        try:
            work = stack.enter_context(work_folder(folder, name))
        except OSError as error:
            raise _not_written(folder, error) from error
        yield Staging(folder, work, disks)


def take_back(folder: Path, name: str, *, whole: bool) -> None:
    """Remove what a killed conversion left of a guest; a guest that is ``whole`` keeps its files.

    Raises OSError.
    """
    for work in abandoned(folder, name):
        if not whole:
            _withdraw(work, folder)
        shutil.rmtree(work)


class Staging:
    """A guest's files while they grow in the work folder."""

    def __init__(self, folder: Path, work: Path, disks: Sequence[TargetDisk]) -> None:
        self._folder = folder
        self._work = work
        self.images = tuple((disk, work / disk.path.name) for disk in disks)

    def publish(self, files: Sequence[File]) -> tuple[Path, ...]:
        """Give images and files their final names, all or none, in this order; return these."""
        finals = (*(disk.path for disk, _ in self.images), *(file.path for file in files))
        try:
            for file in files:
                _write(self._work / file.path.name, file.data, file.mode)
            for final in finals:
                _sync(self._work / final.name)
            listing = self._work / _FINALS
            names = "\0".join(each.name for each in finals)
            _write(listing.with_suffix(".new"), names.encode(), 0o600)
            listing.with_suffix(".new").rename(listing)
            with ExitStack() as undo:
                for final in finals:
                    _appear(self._work / final.name, final)
                    undo.callback(final.unlink)
                _sync(self._folder)
                undo.pop_all()
        except OSError as error:
            raise _not_written(self._folder, error) from error
        return finals

    def remove(self) -> None:
        """Remove the work folder before its time: libvirt would take it for a volume."""
        shutil.rmtree(self._work, ignore_errors=True)


class _LocalWriting(Writing):
    """Adds definition and report to the images."""

    def __init__(self, folder: Path, name: str, staging: Staging) -> None:
        self._definition = definition_path(folder, name)
        self._report = report_path(folder, name)
        self._staging = staging

    @property
    def images(self) -> tuple[tuple[TargetDisk, Path], ...]:
        return self._staging.images

    def commit(self, domain: Domain, report: str) -> tuple[Path, ...]:
        mode = 0o600 if domain.has_password else 0o666  # less the umask; the report quotes the XML
        # The definition comes last: who sees it may start the guest.
        files = (
            *domain.files,
            File(self._report, report.encode(), mode),
            File(self._definition, domain.xml.encode(), mode),
        )
        *others, summary, definition = self._staging.publish(files)
        return (definition, summary, *others)


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


def require_absent(finals: Iterable[Path]) -> None:
    """Raise TargetError for what is there already."""
    there = [path for path in finals if os.path.lexists(path)]
    if there:
        raise TargetError(
            "E-TARGET-EXISTS",
            f"{', '.join(map(str, there))}: exists already",
            hint="remove what is there, or choose another name with -on or folder with -os",
        )


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
