# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stages in their order, once for the dry and once for the real run.

Both read the source, inspect its images, look into the guest and plan. The dry run reports that.
The real run applies the plan to overlays, copies them out, and lets the result appear.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import converters
from drivers.virtio_win import open_media
from v2v.accel import NO_KVM
from v2v.cancellation import Cancellation, check
from v2v.changes import Plan
from v2v.disks.copy import copy
from v2v.disks.image import Image
from v2v.disks.qemu_img import create_overlay
from v2v.disks.scratch import scratch
from v2v.disks.sums import compare
from v2v.disks.verification import Check, Verification
from v2v.domain import Domain, define_domain
from v2v.errors import BlockedError, GuestError, SourceError, TargetError
from v2v.guest.checks import finish
from v2v.guest.inspect import Inspection, inspect
from v2v.guest.session import Drive, Session
from v2v.hardware import misfits, target_firmware
from v2v.job import Findings, Job, Source, parts_of, prepared, read_source
from v2v.kernel_package import unpacked
from v2v.model import Allocation, Capabilities, DiskFormat, Guest, Machine, TargetDisk
from v2v.observer import Observer, Progress
from v2v.options import Options
from v2v.output_options import CopyMode
from v2v.report import Report, TargetImage, TargetSummary
from v2v.sources import read, streamed
from v2v.targets import Writing


def open(source: Source, kind: str | None = None) -> Machine:
    """Return what a configuration, or images, say of a guest; no disk is opened.

    Raises SourceError, or ConfigError for a ``kind`` that there is not.
    """
    return read(parts_of(source), kind)


def plan(
    source: Source,
    options: Options | None = None,
    observer: Observer | None = None,
    *,
    source_only: bool = False,
    cancellation: Cancellation | None = None,
) -> Report:
    """Say what a conversion would do, blockers included; nothing is written anywhere.

    ``source_only`` reads the configuration alone. Raises V2VError where the source cannot be read
    or the options are wrong; what is wrong with its disks, guest or target is a blocker.
    """
    options = options or Options()
    clock = Progress(observer, cancellation)
    found = Findings(clock)
    if source_only:
        given = parts_of(source)
        with clock.running(), streamed(given, options.input_kind, options.access) as stream:
            machine = read_source(source, options, found, stream)
        return Report(True, machine, warnings=tuple(found.warnings), timing=clock.seconds)
    with clock.running(), prepared(source, options, found, snapshots=False) as job:
        guest, drafted, calls = None, None, 0
        if job.images:
            try:
                with (
                    Verification(_checks(job)),  # only if the guest cannot be understood
                    _overlays(job.images) as overlays,
                    _session(overlays, found, writable=False) as session,
                ):
                    guest, drafted, _ = _look(session, job.machine, options, found)
                    calls = session.calls
            except (GuestError, SourceError) as error:
                found.blockers.append(error.finding)
        target = None
        if drafted is not None and job.disks:
            try:
                domain = _define(job, guest, drafted, found)
                target = _summary(job, drafted.capabilities, guest, domain)
            except TargetError as error:
                found.blockers.append(error.finding)
        check()  # what it breaks off is no blocker
    return Report(
        True, job.given, guest, drafted, tuple(found.warnings), tuple(found.blockers),
        target, clock.seconds, calls,
    )  # fmt: skip


def convert(
    source: Source,
    options: Options | None = None,
    observer: Observer | None = None,
    *,
    cancellation: Cancellation | None = None,
) -> Report:
    """Convert a guest and return the report; the source is never written.

    Raises BlockedError with all that stands in the way, CancelledError, or another V2VError;
    nothing of the result is left then.
    """
    options = options or Options()
    clock = Progress(observer, cancellation)
    found = Findings(clock)
    with clock.running(), prepared(source, options, found, snapshots=True) as job:
        if found.blockers:
            raise BlockedError(found.blockers)
        lazy = options.copy is CopyMode.lazy
        with (
            job.target.writing(job.name, job.disks) as writing,
            _overlays(job.images, writing.images if lazy else ()) as overlays,
        ):
            with Verification(_checks(job)) as verification:
                with _session(overlays, found, writable=True) as session:
                    guest, drafted, inspection = _look(session, job.machine, options, found)
                    if found.blockers:
                        raise BlockedError(found.blockers)
                    domain = _define(job, guest, drafted, found)
                    _change(session, inspection, drafted, options, clock)
                    calls = session.calls
                verification.begin()
                _copy(writing, job.images, overlays, verification, clock)
                _await(verification, clock)
            clock.stop()
            report = Report(
                False, job.given, guest, drafted, tuple(found.warnings), (),
                _summary(job, drafted.capabilities, guest, domain), clock.seconds, calls,
            )  # fmt: skip
            written = writing.commit(domain, report.to_json())
    return replace(report, written=written)


@contextmanager
def _overlays(
    images: Sequence[Image], results: Sequence[tuple[TargetDisk, Path]] = ()
) -> Iterator[tuple[Path, ...]]:
    """Make an overlay over each image, for as long as the block lasts; images are only read.

    Those that were made for this conversion need none. Where there are ``results``, the overlays
    are these.
    """
    with scratch("v2v-overlay-") as folder:  # they hold what changes, tens of MiB
        places = [place for _, place in results] or [
            folder / f"disk{index}.qcow2" for index in range(len(images))
        ]
        paths = tuple(
            image.path if image.ours else place for image, place in zip(images, places, strict=True)
        )
        for image, path in zip(images, paths, strict=True):
            if not image.ours:
                create_overlay(image, path, by_name=bool(results))
        yield paths


@contextmanager
def _session(overlays: Sequence[Path], found: Findings, *, writable: bool) -> Iterator[Session]:
    found.progress.stage("launch", "Starting the appliance")
    with Session([Drive(path, "qcow2") for path in overlays], writable=writable) as session:
        if session.emulated:
            found.warn(NO_KVM)
        yield session


def _look(
    session: Session, machine: Machine, options: Options, found: Findings
) -> tuple[Guest, Plan, Inspection]:
    found.progress.stage("inspect", "Looking into the guest")
    seen = inspect(session, machine, options.root, options.keys, fsck=options.fsck)
    found.warn(*seen.warnings)
    found.blockers += seen.blockers
    found.blockers += misfits(options.firmware, seen.guest)
    found.progress.stage("plan", f"Planning the conversion of {seen.guest.product}")
    packaged = unpacked(options.kernel_packages)
    with open_media(options.virtio_win, os.environ) as media:
        guest, drafted = converters.plan(
            machine,
            seen.guest,
            seen.files,
            options.initramfs,
            guest_code=options.guest_code,
            media=media,
            block_driver=options.block_driver,
            keep_direct_boot=options.keep_direct_boot,
            packaged=packaged,
        )
    found.warn(*drafted.warnings)
    found.blockers += drafted.blockers
    return guest, drafted, seen


def _change(
    session: Session, seen: Inspection, drafted: Plan, options: Options, clock: Progress
) -> None:
    clock.stage("convert", f"Making {len(drafted.changes)} changes in the guest")
    session.apply(drafted.changes)
    if options.fstrim:
        clock.stage("fstrim", "Discarding unused blocks")
        session.trim()
    session.umount_all()
    clock.stage("check", "Checking the guest's file systems")
    finish(session, seen.volumes, seen.mounts, fsck=options.fsck)
    clock.stage("flush", "Ending the appliance")
    session.finish()


def _is_result(disk: TargetDisk, image: Path, place: Path) -> bool:
    """Tell whether an image of ours can become the result by its name alone."""
    fits = disk.format is DiskFormat.qcow2 and disk.allocation is Allocation.sparse
    return fits and image.stat().st_dev == place.parent.stat().st_dev


def _checks(job: Job) -> tuple[Check | None, ...]:
    """Return what compares the source with its checksums."""
    return (*(image.verify for image in job.images), partial(compare, job.machine.sums))


def _await(verification: Verification, clock: Progress) -> None:
    if not verification.ended:
        clock.stage("verify", "Comparing the source with its checksums")


def _copy(
    writing: Writing,
    images: Sequence[Image],
    overlays: Sequence[Path],
    verification: Verification,
    clock: Progress,
) -> None:
    def copied(name: str, done: int, total: int) -> None:
        clock.copied(name, done, total)
        verification.refuse_damaged()  # such a source need not be copied to its end

    for (disk, place), image, overlay in zip(writing.images, images, overlays, strict=False):
        if overlay == place:  # the data is copied later
            continue
        if image.ours and _is_result(disk, overlay, place):
            overlay.rename(place)
            writing.filled(disk, place, partial(clock.copied, disk.path.name))
            continue
        clock.stage("copy", f"Copying {disk.path.name}")
        copy(
            overlay,
            place,
            format=disk.format,
            preallocated=disk.allocation is Allocation.preallocated,
            existing=place == disk.path,
            on_progress=partial(copied, disk.path.name),
        )
        writing.filled(disk, place, partial(clock.copied, disk.path.name))


def _define(job: Job, guest: Guest | None, drafted: Plan, found: Findings) -> Domain:
    domain = define_domain(
        job.machine,
        guest,
        drafted.capabilities,
        job.name,
        job.disks,
        drafted.direct,
        job.target.support(job.name),
    )
    found.warn(*domain.warnings)
    return domain


def _summary(
    job: Job, capabilities: Capabilities, guest: Guest | None, domain: Domain
) -> TargetSummary:
    return TargetSummary(
        machine=capabilities.machine,
        firmware=target_firmware(job.machine, guest),
        block_bus=capabilities.block_bus,
        net_model=capabilities.net_model,
        cpu_level=capabilities.cpu_level,
        domain_xml=domain.xml,
        disks=tuple(
            TargetImage(str(disk.path), disk.format, disk.virtual_bytes, needed)
            for disk, needed in zip(job.disks, job.estimates, strict=True)
        ),
    )
