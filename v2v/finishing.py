# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copying the rest of a guest that was converted with --copy lazy: while it runs, or shut off.

It runs in libvirt, which pulls the blocks itself; or in the QEMU of a script of -o qemu, whose
monitor is told to stream them; else qemu-img does it. Each can be interrupted and done again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lxml import etree

from v2v.access import password_in
from v2v.cancellation import Cancellation
from v2v.disks.lazy import absorb, is_lazy
from v2v.errors import ProofError, TargetError
from v2v.hosts.libvirt_host import Domain as Defined
from v2v.hosts.libvirt_host import LibvirtHost, definition, pull, pulled
from v2v.observer import Observer, Progress
from v2v.proof.domxml import read_file
from v2v.proof.qmp import Monitor

_PAUSE = 0.5  # seconds between two looks
_PATIENCE = 5.0  # seconds for a monitor to answer
_Progress = Callable[[int, int], None]
_Element = etree._Element


def finish(
    domain: str,
    connection: str | None = None,
    password_file: Path | None = None,
    observer: Observer | None = None,
    *,
    cancellation: Cancellation | None = None,
) -> tuple[Path, ...]:
    """Copy what a guest still has in its source; return the images that this was done to.

    ``domain`` is a domain XML, the script beside it, or the name of a domain of libvirt's. The
    source is only read, and not needed afterwards. Raises V2VError.
    """
    progress = Progress(observer, cancellation)
    with progress.running():
        return _finished(domain, connection, password_file, progress)


def _finished(
    domain: str, connection: str | None, password_file: Path | None, audience: Progress
) -> tuple[Path, ...]:
    path = Path(domain)
    if path.suffix in (".xml", ".sh"):
        return _in_folder(path.with_suffix(".xml"), audience)
    host = LibvirtHost(connection, partial(password_in, password_file, "-op"))
    found = host.domain(domain)
    if found is None:
        raise TargetError(
            "E-FINISH",
            f"domain {domain}: {host.uri} has none of this name",
            hint="name a domain, or the XML or script that a conversion left",
        )
    if found.isActive():
        return _in_libvirt(found, audience)
    if not host.is_local:
        raise TargetError(
            "E-FINISH",
            f"domain {domain}: it is shut off, and its images are on another host",
            hint=f"start it: virsh -c {host.uri} start {domain}; or run v2v finish there",
        )
    images = _images(etree.fromstring(definition(found).encode()), Path("/"))
    return _shut_off([image for image, _ in images], audience)


def _images(root: _Element, folder: Path) -> list[tuple[Path, str]]:
    """Return a domain's images and the names of their devices, in the order of the domain."""
    return [
        (folder / source.get("file", ""), target.get("dev", ""))
        for disk in root.iterfind("devices/disk")
        if disk.get("device", "disk") == "disk"
        for source, target in zip(disk.iterfind("source"), disk.iterfind("target"), strict=False)
        if source.get("file")
    ]


def _in_folder(path: Path, audience: Progress) -> tuple[Path, ...]:
    """Finish a guest of -o local or qemu."""
    images = [image for image, _ in _images(read_file(path), path.absolute().parent)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        try:
            _connect(connection, path.with_suffix(".qmp"))
        except (FileNotFoundError, ConnectionRefusedError):  # QEMU left it behind
            return _shut_off(images, audience)
        except OSError as error:
            raise TargetError(
                "E-FINISH", f"{path.with_suffix('.qmp')}: QEMU does not answer: {error}"
            ) from error
        try:
            return _in_qemu(Monitor(connection), images, audience)
        except ProofError as error:
            raise TargetError(
                "E-FINISH",
                f"{path.stem}: {error.finding.message}",
                hint="run v2v finish again; the guest does not lose anything by it",
            ) from error


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect to a socket whose folder may have a longer name than unix(7) allows."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _shut_off(images: list[Path], audience: Progress) -> tuple[Path, ...]:
    lazy = tuple(image for image in images if is_lazy(image))
    for image in lazy:
        audience.stage("finish", f"Copying the rest of {image.name}")
        absorb(image, partial(audience.copied, image.name))
    return lazy


def _in_libvirt(domain: Defined, audience: Progress) -> tuple[Path, ...]:
    done = []
    for element in _lazy_disks(domain):
        device = element.find("target")
        source = element.find("source")
        assert device is not None  # libvirt gives each disk one
        image = Path("" if source is None else source.get("file", ""))
        audience.stage("finish", f"Copying the rest of {image.name} while the guest runs")
        pull(domain, device.get("dev", ""))
        while (progress := pulled(domain, device.get("dev", ""))) is not None:
            audience.copied(image.name, *progress)
            time.sleep(_PAUSE)
        done.append(image)
    if left := _lazy_disks(domain):
        raise _not_done(domain.name(), len(left))
    return tuple(done)


def _lazy_disks(domain: Defined) -> list[_Element]:
    """Return the disks of a running domain that have a backing file."""
    root = etree.fromstring(domain.XMLDesc().encode())
    return [
        disk
        for disk in root.iterfind("devices/disk")
        if disk.get("device") == "disk" and disk.find("backingStore/source") is not None
    ]


def _not_done(name: str, count: int) -> TargetError:
    return TargetError(
        "E-FINISH",
        f"{name}: {count} disks still need their source",
        hint="look into the log of QEMU for errors of the disks, then run v2v finish again",
    )


def _in_qemu(monitor: Monitor, images: list[Path], audience: Progress) -> tuple[Path, ...]:
    """Stream in the QEMU of a script, whose block nodes are called drive0, drive1 and so on."""
    lazy = [(image, f"drive{at}") for at, image in enumerate(images) if is_lazy(image)]
    for image, node in lazy:
        audience.stage("finish", f"Copying the rest of {image.name} while the guest runs")
        job = f"v2v-{node}"
        if _job(monitor, job) is None:  # it runs on where a finish was interrupted
            monitor.execute("block-stream", device=node, **{"job-id": job, "auto-dismiss": False})
        _follow(monitor, job, partial(audience.copied, image.name))
    if left := [image for image, _ in lazy if is_lazy(image)]:
        raise _not_done(left[0].name, len(left))
    return tuple(image for image, _ in lazy)


def _job(monitor: Monitor, name: str) -> dict[str, Any] | None:
    jobs: list[dict[str, Any]] = monitor.execute("query-jobs")
    return next((job for job in jobs if job["id"] == name), None)


def _follow(monitor: Monitor, name: str, on_progress: _Progress) -> None:
    """Wait for the end of a job. Raises TargetError with its error."""
    while (job := _job(monitor, name)) is not None:
        if job["status"] == "concluded":
            monitor.execute("job-dismiss", id=name)
            if "error" in job:
                raise TargetError("E-FINISH", f"QEMU: {job['error']}")
            return
        on_progress(job["current-progress"], job["total-progress"])
        time.sleep(_PAUSE)
