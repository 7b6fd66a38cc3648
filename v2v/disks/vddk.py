# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of vSphere through VMware's own library, VDDK, in nbdkit-vddk-plugin(1).

The library is VMware's to give, nbdkit has the plugin where it was built with it. It sends what is
allocated alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from v2v.datastore import Datastore
from v2v.disks.image import Image
from v2v.disks.imagefile import SECTOR
from v2v.disks.scratch import scratch
from v2v.disks.serving import served_by, size_of
from v2v.errors import CommandError, SourceError
from v2v.hosts import tls
from v2v.model import Disk, DiskFormat
from v2v.run import run

_PORT = 443
# Calls of more than 2 MiB exhaust the memory of ESXi's NFC service (RHBZ#1614276).
_FILTERS = ("--filter=blocksize", "--filter=retry")
_LIMITS = ("minblock=512", "maxdata=2M")


@contextmanager
def by_vddk(disk: Disk, store: Datastore) -> Iterator[Image]:
    """Serve a disk over NBD for as long as the block lasts. Raises SourceError."""
    assert store.vddk is not None, "the caller asks for VDDK"
    login, settings = store.login, dict(store.vddk.settings)
    place = Path(f"{login.host}:{disk.path}")
    _refuse_absent(settings.get("libdir"))
    settings.setdefault("port", str(login.port or _PORT))
    if store.snapshot is not None:
        settings.setdefault("snapshot", f"moref={store.snapshot}")
    if "thumbprint" not in settings:
        trust = tls.Trust(login.cacert, login.thumbprint)
        settings["thumbprint"] = tls.sha1_of(login.host, int(settings["port"]), trust)
    with scratch("v2v-login-") as folder:
        password = folder / "password"
        password.touch(0o600)
        password.write_text(login.password, encoding="utf-8")
        words = (
            *_FILTERS, "vddk", *_LIMITS, f"server={login.host}", f"user={login.user}",
            f"password=+{password}", f"vm=moref={store.guest}", f"file={disk.path}",
            *(f"{key}={value}" for key, value in settings.items()),
        )  # fmt: skip
        with served_by(place, words, _failed) as socket:
            size = size_of(place, socket, _failed)
            if size % SECTOR:
                raise _failed(place, f"{size} bytes are no whole sectors")
            yield Image(socket, DiskFormat.raw, size, size)


def _refuse_absent(folder: str | None) -> None:
    """Raise SourceError unless plugin and library are there."""
    words = () if folder is None else (f"libdir={folder}",)
    try:
        said = run("nbdkit", "vddk", "--dump-plugin", *words)
    except CommandError as error:
        raise SourceError(
            "E-VDDK",
            "nbdkit has no vddk plugin",
            hint="install nbdkit-vddk-plugin (Debian does not build it); or read over HTTPS, or by"
            " -it nfc, which need no library",
        ) from error
    if "vddk_library_version=" not in said:
        raise SourceError(
            "E-VDDK",
            f"VMware's library is not found{'' if folder is None else f' below {folder}'}",
            hint="-io vddk-libdir=DIR names the unpacked vmware-vix-disklib-distrib, in which there"
            " is lib64/libvixDiskLib.so.N",
        )


def _failed(place: Path, said: str) -> SourceError:
    return SourceError(
        "E-DISK-REMOTE",
        f"{place}: {said or 'VDDK gives no reason'}",
        hint="the transports and ports that VDDK needs: nbdkit-vddk-plugin(1), -vv shows its words",
    )
