# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a conversion starts from: the source read, its disks opened, the target checked.

Every fault is found, not the first: what is wrong with a disk or the target is a blocker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from v2v.disks.image import Image, inspect_image
from v2v.disks.image_writer import written
from v2v.disks.lazy import refusal
from v2v.disks.opening import open_image
from v2v.disks.scratch import scratch, work_folder
from v2v.disks.space import estimate
from v2v.errors import BlockedError, ConfigError, Finding, SourceError, TargetError
from v2v.hosts.remote_file import fetched
from v2v.model import Allocation, BootMethod, Disk, DiskFormat, Machine, TargetDisk
from v2v.networks import map_nics, unused_macs
from v2v.observer import Progress
from v2v.options import Options
from v2v.output_options import CopyMode
from v2v.partitioning import arrange
from v2v.path_maps import mapped
from v2v.sources import Stream, described, read, streamed
from v2v.stillness import held, looked_at, refused
from v2v.targets import Target, open_target

Source = str | Path | Sequence[str | Path]  # an address, a configuration, images of one guest


@dataclass(slots=True)
class Findings:
    """What comes up on the way; each warning is told to the observer once."""

    progress: Progress
    warnings: list[Finding] = field(default_factory=list)
    blockers: list[Finding] = field(default_factory=list)

    def warn(self, *findings: Finding) -> None:
        for finding in findings:
            self.warnings.append(finding)
            self.progress.warned(finding)


@dataclass(frozen=True, slots=True)
class Job:
    """A source that was read and whose images were inspected, and where it goes."""

    given: Machine  # as its configuration has it
    machine: Machine  # with the disks that the target is to have
    name: str
    images: tuple[Image, ...]  # as many as the machine's disks, or none if any is unusable
    estimates: tuple[int, ...]
    target: Target
    disks: tuple[TargetDisk, ...]


def parts_of(source: Source) -> tuple[str | Path, ...]:
    """Return what a source is given by."""
    return (source,) if isinstance(source, str | Path) else tuple(source)


def read_source(
    source: Source, options: Options, found: Findings, stream: Stream | None = None
) -> Machine:
    """Return the source's machine, its NICs plugged in as the user wants. Raises V2VError."""
    given = parts_of(source)
    found.progress.stage("source", f"Reading {', '.join(map(str, given))}")
    machine = (
        described(stream, options.system)
        if stream is not None
        else read(given, options.input_kind, options.input_format, options.access, options.system)
    )
    machine = mapped(machine, options.path_maps)
    nics = map_nics(machine.nics, options.networks)
    found.warn(*machine.warnings, *unused_macs(machine.nics, options.networks))
    return replace(machine, nics=nics, firmware=options.firmware or machine.firmware)


@contextmanager
def prepared(
    source: Source, options: Options, found: Findings, *, snapshots: bool
) -> Iterator[Job]:
    """Read the source, open its images for as long as the block lasts, and check the target.

    ``snapshots`` may be taken on the source's host, of a guest that is running.
    """
    with ExitStack() as opened:
        stream = opened.enter_context(
            streamed(parts_of(source), options.input_kind, options.access, found.warn)
        )
        machine = read_source(source, options, found, stream)
        found.progress.stage("disks", "Checking the disks and the target")
        machine = _with_kernel(machine, found, opened)
        if stream is not None:
            images = _unpacked(stream, machine, options, opened, changes=snapshots)
        else:
            disks = _held(machine, options, found, opened, snapshots=snapshots)
            machine, images = _open(machine, disks, options, found, opened)
        given = machine
        if images:
            folder = opened.enter_context(scratch("v2v-disks-"))
            try:
                arranged = arrange(machine, images, folder, options.firmware)
            except SourceError as error:
                found.blockers.append(error.finding)
                images = ()
            else:
                machine, images = arranged.machine, arranged.images
                found.warn(*arranged.findings)
        yield _planned(given, machine, images, options, found)


def _unpacked(
    stream: Stream, machine: Machine, options: Options, opened: ExitStack, *, changes: bool
) -> tuple[Image, ...]:
    """Write the disks of a stream where the result is to be, and as what it is to be.

    Raises ConfigError for a dry run, which would spend the stream; TargetError, SourceError.
    """
    if not changes:
        raise ConfigError(
            "E-STREAM",
            f"{stream.where}: passes by once, and a report looks into the disks",
            hint="--source-only reads its description alone; or save it to a file first, expanded",
        )
    if machine.running and not options.allow_running:
        raise BlockedError([refused(machine)])
    members = {disk.member for disk in machine.disks}
    if not members:
        raise SourceError("E-NO-DISK", f"{machine.name}: the source has no fixed disk to convert")
    if len(members) < len(machine.disks):
        raise SourceError("E-DISK-LAYOUT", f"{machine.name}: two of its disks are one and the same")
    target = open_target(options)
    name = target.named(options.name if options.name is not None else machine.name)
    sizes = [disk.virtual_bytes or 0 for disk in machine.disks]
    target.check(name, target.disks(name, sizes), [0] * len(sizes))
    near = target.near
    there = near if near is not None and near.is_dir() else None  # a pool's may be still to come
    folder = opened.enter_context(work_folder(there, name))
    paths = [folder / f"{index}.qcow2" for index in range(len(sizes))]
    with ExitStack() as writing:
        disks = {
            disk.member or "": (size, writing.enter_context(written(path, size)))
            for disk, size, path in zip(machine.disks, sizes, paths, strict=True)
        }
        stream.unpack(disks)
    return tuple(
        replace(inspect_image(Disk(str(path), DiskFormat.qcow2), folder, trust=False), ours=True)
        for path in paths
    )


def _with_kernel(machine: Machine, found: Findings, opened: ExitStack) -> Machine:
    """Return the machine with the kernel that its host hands to it on this host."""
    boot = machine.boot
    if boot is None or boot.host is None or boot.method is not BootMethod.direct:
        return machine
    folder = opened.enter_context(scratch("v2v-kernel-"))
    try:
        kernel, ramdisk = (
            path and str(fetched(boot.host, path, folder)) for path in (boot.kernel, boot.ramdisk)
        )
    except SourceError as error:
        found.blockers.append(error.finding)
        return machine
    return replace(machine, boot=replace(boot, kernel=kernel, ramdisk=ramdisk, host=None))


def _held(
    machine: Machine, options: Options, found: Findings, opened: ExitStack, *, snapshots: bool
) -> tuple[Disk, ...]:
    """Return the disks to read: those of a running guest are held still, or refused."""
    if not machine.running:
        return machine.disks
    if not options.allow_running:
        found.blockers.append(refused(machine))
        return machine.disks
    if not snapshots:
        found.warn(looked_at(machine))
        return machine.disks
    disks, findings = opened.enter_context(held(machine, found.warn))
    found.warn(*findings)
    return disks


def _open(
    machine: Machine,
    disks: Sequence[Disk],
    options: Options,
    found: Findings,
    opened: ExitStack,
) -> tuple[Machine, tuple[Image, ...]]:
    """Return the images of all disks, none if any is unusable, and what they say of the disks."""
    images: list[Image] = []
    for disk in disks:
        opening = open_image(disk, machine.folder, trust=options.trust_image)
        try:
            images.append(opened.enter_context(opening))
        except SourceError as error:
            found.blockers.append(error.finding)
    if not machine.disks:
        found.blockers.append(
            Finding("E-NO-DISK", f"{machine.name}: the source has no fixed disk to convert")
        )
    if len(images) < len(machine.disks):
        return machine, ()
    known = tuple(
        replace(disk, format=image.format, virtual_bytes=image.virtual_bytes, wwid=image.wwid)
        for disk, image in zip(machine.disks, images, strict=True)
    )
    return replace(machine, disks=known), tuple(images)


def _planned(
    given: Machine,
    machine: Machine,
    images: tuple[Image, ...],
    options: Options,
    found: Findings,
) -> Job:
    """Return the job with the images of the target, for which there is room."""
    name = wanted = options.name if options.name is not None else machine.name
    target = open_target(options)
    preallocated = options.allocation is Allocation.preallocated
    disks: tuple[TargetDisk, ...] = ()
    estimates: tuple[int, ...] = ()
    try:
        estimates = tuple(
            estimate(image, options.format, preallocated=preallocated) for image in images
        )
        name = target.named(name)
        disks = target.disks(name, [image.virtual_bytes for image in images])
        there = [0 if image.ours else each for image, each in zip(images, estimates, strict=True)]
        _tell(target.findings(name, machine.nics), found)
        target.check(name, disks, there)
        if options.copy is CopyMode.lazy:
            _tell(_laziness(machine, images, target, name), found)
    except (SourceError, TargetError) as error:
        found.blockers.append(error.finding)
    if name != wanted:
        found.warn(Finding("W-RENAMED", f"{wanted}: the target has one, the guest becomes {name}"))
    return Job(given, machine, name, images, estimates, target, disks)


def _laziness(
    machine: Machine, images: Sequence[Image], target: Target, name: str
) -> Iterator[Finding]:
    """Say what stands in the way of a guest that runs on its source's images, or what it means."""
    refused = [each for image in images if not image.ours and (each := refusal(image)) is not None]
    if images and all(image.ours for image in images):
        refused.append(Finding("E-LAZY", f"{name}: its source passes by once"))
    if machine.running:
        refused.append(Finding("E-LAZY", f"{machine.name}: it is running, and changes its disks"))
    if target.near is None:
        refused.append(Finding("E-LAZY", f"{name}: the target is no folder of this host"))
    yield from refused
    if not refused:
        yield Finding(
            "W-LAZY",
            f"{name}: its data stays in the source's disks, which must neither change nor go away",
            "copy it, while the guest runs or not: v2v finish",
        )


def _tell(findings: Iterable[Finding], found: Findings) -> None:
    """Take warnings for such, and errors for blockers."""
    for finding in findings:
        if finding.code.startswith("E-"):
            found.blockers.append(finding)
        else:
            found.warn(finding)
