# SPDX-License-Identifier: LGPL-2.1-or-later
"""The libguestfs appliance: the only module that imports guestfs.

One appliance is launched for a conversion. It costs seconds, and each call of it milliseconds, so
calls are counted and callers fetch in bulk. libguestfs reports errors as RuntimeError; they become
GuestError here and nowhere else.
"""

from __future__ import annotations

import base64
import io
import logging
import os
import posixpath
import shlex
import stat as modes
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import guestfs

from v2v.accel import kvm_works
from v2v.changes import Change
from v2v.devices import drive_letters
from v2v.errors import GuestError
from v2v.files import Stat
from v2v.guest.ending import limited, stoppable
from v2v.guest.layout import with_boot_code
from v2v.hive import Hive
from v2v.units import iec

log = logging.getLogger(__name__)

_MESSAGE = 2 << 20  # bytes; a message to or from the appliance holds up to 4 MiB, guestfs(3)
_READ_LIMIT = 1 << 30  # bytes; what a conversion reads is far smaller
_ARCHIVE_LIMIT = 256 << 20  # bytes; an /etc is a few MiB, with SELinux's policies some tens
# MiB; a key of LUKS2 takes up to 1 GiB to open, and the libguestfs default can be little more. What
# the appliance does not use, the host does not give.
_MEMORY = 2560
_MAX_CPUS = 4  # of the appliance, whose start is the most parallel thing that it does
_LAUNCH = 600.0  # seconds; it takes 7 here, and some 60 on a machine with six jobs for each CPU
_TRANSFER = 8 << 20  # bytes from which one file transfer is quicker than messages
_FOLDER = "/tmp/v2v"  # of scripts, in the appliance
_SECRET = "/tmp/v2v-secret"  # there too


@dataclass(frozen=True, slots=True)
class Drive:
    """A disk to put into the appliance."""

    path: Path
    format: str  # QEMU's name; never probed


@contextmanager
def _translated(code: str, what: str, hint: str | None = None) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise GuestError(code, f"{what}: {error}", hint=hint) from error


class _Limited:
    """The reading end of a pipe that closes when it has taken too much, which fails the writer."""

    def __init__(self, descriptor: int) -> None:
        self._stream = os.fdopen(descriptor, "rb")

    def read(self) -> bytes:
        data = self._stream.read(_ARCHIVE_LIMIT)
        if len(data) == _ARCHIVE_LIMIT:
            self._stream.close()
        return data

    def close(self) -> None:
        self._stream.close()


class _Counter:
    """A libguestfs handle that counts the calls made of it."""

    def __init__(self, handle: guestfs.GuestFS) -> None:
        self._handle = handle
        self.calls = 0

    def __getattr__(self, name: str) -> object:
        self.calls += 1
        log.debug("guestfs call %d: %s", self.calls, name)
        return getattr(self._handle, name)


class Session:
    """An appliance with the guest's disks in it; leave the block to end it.

    ``emulated`` tells that there is no KVM.
    """

    def __init__(self, drives: Sequence[Drive], *, writable: bool) -> None:
        self.writable = writable
        self.emulated = False
        self._drives = tuple(drives)
        self._disks = tuple(f"/dev/sd{drive_letters(index)}" for index in range(len(drives)))
        self._mounted: dict[str, str] = {}
        self._hives: dict[str, Hive] = {}  # those that are being changed
        self._counter = _Counter(guestfs.GuestFS(python_return_dict=True))
        self._g = cast("guestfs.GuestFS", self._counter)
        self._stack = ExitStack()
        self._scratch = tempfile.TemporaryDirectory(prefix="v2v-guest-", dir=self._g.get_tmpdir())
        self._stack.callback(self._scratch.cleanup)
        self._g.set_tmpdir(self._scratch.name)  # its name shows whose appliance it is

    def __enter__(self) -> Self:
        try:
            self._stack.enter_context(stoppable(Path(self._scratch.name)))
            self._launch()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._g.close()
        self._stack.close()

    def _launch(self) -> None:
        g = self._g
        if "LIBGUESTFS_BACKEND" not in os.environ:
            g.set_backend("direct")  # no daemon needed, and paths are opened as who we are
        if "LIBGUESTFS_BACKEND_SETTINGS" not in os.environ and not kvm_works():
            g.set_backend_settings(["force_tcg"])
            self.emulated = True
        if "LIBGUESTFS_MEMSIZE" not in os.environ:
            g.set_memsize(_MEMORY)
        g.set_smp(min(_MAX_CPUS, len(os.sched_getaffinity(0))))
        for drive in self._drives:
            with _translated("E-GUEST-DRIVE", str(drive.path)):
                g.add_drive(
                    str(drive.path),
                    readonly=not self.writable,
                    format=drive.format,
                    cachemode="unsafe",  # the overlay is thrown away if anything fails
                    discard="besteffort" if self.writable else "disable",
                )
        with (
            _translated(
                "E-APPLIANCE",
                "the libguestfs appliance does not start",
                "run libguestfs-test-tool; a kernel must be in /boot (linux-image-cloud-amd64)",
            ),
            limited(Path(self._scratch.name), _LAUNCH),
        ):
            g.launch()

    @property
    def calls(self) -> int:
        """The libguestfs calls made so far."""
        return self._counter.calls

    def finish(self) -> None:
        """Write everything out and end the appliance. Raises GuestError if that fails."""
        with _translated("E-APPLIANCE", "the libguestfs appliance does not end cleanly"):
            self._g.shutdown()

    # Devices.

    def devices(self) -> tuple[str, ...]:
        """Return libguestfs's names of the drives, in their order; guestfs(3), "block devices"."""
        return self._disks

    # Mounts.

    def mount(self, device: str, mountpoint: str, options: str = "") -> None:
        """Mount a file system, for reading only in a session that may not write."""
        parts = [part for part in (options, "" if self.writable else "ro") if part]
        with _translated("E-GUEST-MOUNT", f"{device} does not mount on {mountpoint}"):
            self._g.mount_options(",".join(parts), device, mountpoint)
        self._mounted[mountpoint] = device

    def umount_all(self) -> None:
        """Unmount everything."""
        with _translated("E-GUEST-MOUNT", "unmounting"):
            self._g.umount_all()
        self._mounted.clear()

    def space(self, mountpoint: str) -> tuple[int, int | None]:
        """Return free bytes and free inodes of a mounted file system.

        Inodes are None where the file system makes them as needed (btrfs, vfat). A btrfs counts as
        free what it keeps for its own tables; what others keep for root is for us.
        """
        with _translated("E-GUEST-MOUNT", f"statvfs {mountpoint}"):
            found = self._g.statvfs(mountpoint)
        if found["files"] == 0:
            return found["bavail"] * found["bsize"], None
        return found["bfree"] * found["bsize"], found["ffree"]

    def trim(self) -> None:
        """Discard the unused blocks of every mounted file system; one that cannot is left alone."""
        of_each = {device: mountpoint for mountpoint, device in self._mounted.items()}
        for mountpoint in of_each.values():  # subvolumes share theirs
            try:
                self._g.fstrim(mountpoint)
            except RuntimeError as error:
                log.debug("fstrim %s: %s", mountpoint, error)

    # The appliance itself.

    def gather(self, script: str) -> dict[str, bytes]:
        """Run a shell script in the appliance, in an empty folder; return the files it leaves.

        It sees the kernel's names of devices, the appliance's programs and none of the guest's. It
        stands for dozens of calls, and for what libguestfs has no call for. What the script prints
        is lost, and its exit status: it has to leave files that say all. Raises GuestError.
        """
        whole = (
            f"rm -rf {_FOLDER}; mkdir {_FOLDER}; cd {_FOLDER} || exit\n"
            f"(\n{script}\n) > /dev/null 2>&1 < /dev/null\n"
            "tar -c . | base64 -w0"
        )
        with _translated("E-APPLIANCE", "a script in the appliance"):
            packed = self._g.debug("sh", [whole])
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed)), mode="r:") as tar:
            return {
                posixpath.normpath(f"/{member.name}"): stream.read()
                for member in tar
                if member.isreg() and (stream := tar.extractfile(member)) is not None
            }

    @contextmanager
    def lent(self, secret: bytes) -> Iterator[str]:
        """Give a secret's path in the appliance, for a script to read and remove.

        It goes through memory alone: no file of this host, no command line and no log has it.
        """
        with os.fdopen(os.memfd_create("secret"), "wb", buffering=0) as memory:
            memory.write(secret)
            with _translated("E-APPLIANCE", "handing over a key"):
                self._g.debug_upload(f"/dev/fd/{memory.fileno()}", _SECRET, 0o600)
        yield _SECRET

    # Reading files; v2v.guest.files caches what these return.

    def names(self, directory: str) -> list[str]:
        """Return the names in a directory. Raises FileNotFoundError."""
        try:
            return self._g.ls(directory)
        except RuntimeError as error:
            raise FileNotFoundError(directory) from error

    def stats(self, directory: str, names: Sequence[str]) -> dict[str, Stat]:
        """Return lstat of names in a directory; those that are gone are left out."""
        with _translated("E-GUEST-READ", f"reading {directory}"):
            found = self._g.lstatnslist(directory, names)
        return {
            name: Stat(st["st_mode"], st["st_size"], st["st_uid"], st["st_gid"])
            for name, st in zip(names, found, strict=True)
            if st["st_ino"] != -1
        }

    def read(self, path: str, size: int) -> bytes:
        """Return the content of a file of ``size`` bytes. Raises FileNotFoundError.

        A message of the appliance takes 2 ms and a file transfer 150 (emulated), whatever the
        file; so only what takes several messages is transferred.
        """
        if size > _READ_LIMIT:
            raise GuestError("E-GUEST-READ", f"{path} in the guest: {iec(size)} are too much")
        try:
            if size > _TRANSFER:
                return self._g.read_file(path)
            pieces = [
                self._g.pread(path, min(_MESSAGE, size - start), start)
                for start in range(0, size, _MESSAGE)
            ]
        except RuntimeError as error:
            raise FileNotFoundError(path) from error
        return b"".join(pieces)

    def readlink(self, path: str) -> str:
        """Return a symbolic link's target. Raises FileNotFoundError."""
        try:
            return self._g.readlink(path)
        except RuntimeError as error:
            raise FileNotFoundError(path) from error

    def archive(self, directory: str) -> bytes:
        """Return a directory as a tar archive, fetched in one call.

        Raises GuestError, also where it is larger than any directory of settings: a sparse file in
        a hostile guest costs it nothing, and would fill this host.
        """
        reader, writer = os.pipe()
        with ThreadPoolExecutor(1) as pool, closing(_Limited(reader)) as taken:
            data = pool.submit(taken.read)
            try:
                with _translated("E-GUEST-READ", f"reading {directory}"):
                    self._g.tar_out(directory, f"/dev/fd/{writer}", numericowner=True)
            finally:
                os.close(writer)
            return data.result()

    # Writing: this is a GuestHandle.

    def write(self, path: str, data: bytes, mode: int | None) -> None:
        with _translated("E-GUEST-WRITE", f"writing {path}"):
            if mode is not None:
                self._g.mkdir_p(os.path.dirname(path))  # noqa: PTH120 (a path in the guest)
            if len(data) <= _MESSAGE:
                self._g.write(path, data)
            else:
                local = Path(self._scratch.name) / "upload"
                local.write_bytes(data)
                self._g.upload(str(local), path)
                local.unlink()
            if mode is not None:
                self._g.chmod(modes.S_IMODE(mode), path)

    def link(self, path: str, target: str) -> None:
        with _translated("E-GUEST-WRITE", f"linking {path}"):
            self._g.mkdir_p(os.path.dirname(path))  # noqa: PTH120 (a path in the guest)
            self._g.ln_sf(target, path)

    def remove(self, path: str) -> None:
        with _translated("E-GUEST-WRITE", f"removing {path}"):
            self._g.rm_f(path)

    def label(self, path: str, label: str) -> None:
        with _translated("E-GUEST-WRITE", f"labelling {path}"):
            # The kernel keeps labels with the zero byte that ends them, and so do setfiles's.
            self._g.lsetxattr("security.selinux", label, len(label) + 1, path)

    def run(self, argv: tuple[str, ...], makes: str | None) -> None:
        with _translated("E-GUEST-COMMAND", f"{shlex.join(argv)} in the guest"):
            self._g.command(list(argv))
            made = makes is None or self._g.exists(makes)
        if not made:
            raise GuestError(
                "E-GUEST-COMMAND", f"{shlex.join(argv)} in the guest: it made no {makes}"
            )

    def fill(self, folder: str, files: Mapping[str, bytes]) -> None:
        archive = Path(self._scratch.name) / "folder.tar"
        with tarfile.open(archive, "w") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(data), 0o644
                tar.addfile(member, io.BytesIO(data))
        with _translated("E-GUEST-WRITE", f"writing {folder}"):
            self._g.mkdir_p(folder)
            self._g.tar_in(str(archive), folder)
        archive.unlink()

    def read_device(self, device: str, size: int) -> bytes:
        """Return the first bytes of a device."""
        with _translated("E-GUEST-READ", f"reading {device}"):
            return self._g.pread_device(device, size, 0)

    def write_device(self, device: str, offset: int, data: bytes) -> None:
        with _translated("E-GUEST-WRITE", f"writing to {device}"):
            written = self._g.pwrite_device(device, data, offset)
        if written != len(data):
            raise GuestError("E-GUEST-WRITE", f"writing to {device}: it was cut short")

    def write_boot_code(self, disk: str, sector: bytes, start: int, core: bytes) -> None:
        with _translated("E-GUEST-WRITE", f"writing boot code to {disk}"):
            sector = with_boot_code(self._g.pread_device(disk, len(sector), 0), sector)
            written = [
                self._g.pwrite_device(disk, data, at * len(sector))
                for data, at in ((core, start), (sector, 0))
            ]
        if written != [len(core), len(sector)]:
            raise GuestError("E-GUEST-WRITE", f"writing boot code to {disk}: it was cut short")

    def edit_hive(self, path: str, original: bytes, edit: Callable[[Hive], None]) -> None:
        if path not in self._hives:
            self._hives[path] = Hive(original, path)
        edit(self._hives[path])

    def apply(self, changes: Iterable[Change]) -> None:
        """Apply changes in their order. Raises GuestError at the first that fails."""
        for change in changes:
            log.debug("apply: %s", change.describe())
            change.apply(self)
        for path, hive in self._hives.items():
            self.write(path, hive.commit(), None)
        self._hives.clear()
