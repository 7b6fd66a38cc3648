# SPDX-License-Identifier: LGPL-2.1-or-later
"""The report of a dry or a real run: as JSON for programs, as text for people.

Both runs make the same report; readers of the JSON must ignore keys that they do not know.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from v2v.changes import Change, Plan, RunCommand, SetLabels, SetRegistry, WriteBootCode, WriteDevice
from v2v.errors import Finding
from v2v.model import Bus, DiskFormat, Firmware, Guest, Kernel, Machine
from v2v.osinfo import short_id
from v2v.source_json import machine_json
from v2v.units import iec
from v2v.version import VERSION
from v2v.windows_guest import Windows

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class TargetImage:
    """An image that is, or would be, written."""

    path: str
    format: DiskFormat
    virtual_bytes: int
    estimated_bytes: int  # what it will take at most, as far as can be known without copying


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """What is, or would be, made for the target hypervisor."""

    machine: str
    firmware: Firmware
    block_bus: Bus
    net_model: str
    domain_xml: str
    disks: tuple[TargetImage, ...]
    cpu_level: int = 1  # of x86-64, that the guest's programs need


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, what changes, and what comes out."""

    dry_run: bool
    machine: Machine
    guest: Guest | None = None
    plan: Plan | None = None
    warnings: tuple[Finding, ...] = ()  # of all stages
    blockers: tuple[Finding, ...] = ()
    target: TargetSummary | None = None
    timing: Mapping[str, float] = field(default_factory=dict)  # stage to seconds
    appliance_calls: int = 0
    written: tuple[Path, ...] = ()  # what a conversion left, the domain XML first

    def to_json(self) -> str:
        """Return the report as a JSON document."""
        return json.dumps(report_json(self), indent=2) + "\n"

    def to_text(self, *, diffs: bool = False) -> str:
        """Return the report for people; ``diffs`` adds what each change changes."""
        return "".join(f"{line}\n" for line in _text(self, diffs=diffs))


# JSON, as docs/report.md gives it.


def report_json(report: Report) -> dict[str, object]:
    """Return the report as what the json module takes."""
    return {
        "schema": SCHEMA,
        "v2v": VERSION,
        "dry_run": report.dry_run,
        "source": machine_json(report.machine),
        "guest": report.guest and _guest_json(report.guest),
        "plan": {
            "changes": [_change_json(change) for change in report.plan.changes]
            if report.plan
            else [],
            "warnings": [finding_json(warning) for warning in report.warnings],
        },
        "blockers": [finding_json(blocker) for blocker in report.blockers],
        "target": report.target and _target_json(report.target),
        "timing": dict(report.timing),
        "appliance_calls": report.appliance_calls,
    }


def read_report(path: Path) -> dict[str, Any] | None:
    """Return the JSON of a report that a conversion left; None if there is none at ``path``."""
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        return None
    return document if isinstance(document, dict) and document.get("schema") == SCHEMA else None


def finding_json(finding: Finding) -> dict[str, object]:
    """Return a warning or blocker as what the json module takes."""
    return {"code": finding.code, "message": finding.message, "hint": finding.hint}


def _guest_json(guest: Guest) -> dict[str, object]:
    return {
        "type": guest.type,
        "distro": guest.distro,
        "version": guest.version,
        "product": guest.product,
        "arch": guest.arch,
        "osinfo": short_id(guest),
        "firmware": guest.firmware,
        "root": guest.root,
        "mountpoints": dict(guest.mountpoints),
        "filesystems": [
            {"device": found.device, "type": found.type, "uuid": found.uuid, "label": found.label}
            for found in guest.filesystems
        ],
        "roots": list(guest.roots),
        "locked": list(guest.locked),
        "bootloader": guest.bootloader,
        "kernels": [_kernel_json(kernel) for kernel in guest.kernels],
        "windows": guest.windows and _windows_json(guest.windows),
    }


def _windows_json(windows: Windows) -> dict[str, object]:
    return {
        "systemroot": windows.systemroot,
        "build": windows.build,
        "variant": windows.variant,
        "control_set": windows.control_set,
        "hostname": windows.hostname,
        "drive_letters": dict(windows.drive_letters),
        "apps": [{"name": app.name, "version": app.version} for app in windows.apps],
        "group_policy": windows.group_policy,
        "antivirus": list(windows.antivirus),
    }


def _kernel_json(kernel: Kernel) -> dict[str, object]:
    return {
        "version": kernel.version,
        "default": kernel.default,
        "virtio": dict(kernel.virtio),
        "initramfs": kernel.initramfs,
        "initramfs_has_virtio": kernel.initramfs_has_virtio,
    }


def _change_json(change: Change) -> dict[str, object]:
    what: dict[str, object]
    if isinstance(change, RunCommand):
        what = {"argv": list(change.argv)}
    elif isinstance(change, SetLabels):
        what = {"labels": dict(change.labels)}
    elif isinstance(change, WriteBootCode):
        what = {"disk": change.disk, "start": change.start, "bytes": len(change.core)}
    elif isinstance(change, WriteDevice):
        what = {"disk": change.device, "start": change.offset, "bytes": len(change.new)}
    elif isinstance(change, SetRegistry):
        what = {"path": change.path, "key": change.key}
    else:
        what = {"path": change.path}
    return {"kind": change.kind, **what, "why": change.why, "diff": change.diff()}


def _target_json(target: TargetSummary) -> dict[str, object]:
    return {
        "machine": target.machine,
        "firmware": target.firmware,
        "block_bus": target.block_bus,
        "net_model": target.net_model,
        "cpu_level": target.cpu_level,
        "domain_xml": target.domain_xml,
        "disks": [
            {
                "path": disk.path,
                "format": disk.format,
                "virtual_bytes": disk.virtual_bytes,
                "estimated_bytes": disk.estimated_bytes,
            }
            for disk in target.disks
        ],
    }


# Text.


def _text(report: Report, *, diffs: bool) -> Iterator[str]:
    yield from _source_text(report.machine)
    if report.guest:
        yield ""
        yield from _guest_text(report.guest)
    if report.plan:
        yield ""
        yield from _changes_text(report.plan.changes, diffs=diffs)
    yield from _findings_text("Warnings", report.warnings)
    yield from _findings_text("Blockers", report.blockers)
    if report.target:
        yield ""
        yield from _target_text(report.target, dry_run=report.dry_run)
        if diffs:
            yield from ("", "Domain XML")
            yield from textwrap.indent(report.target.domain_xml.rstrip(), "  ").splitlines()
    if report.timing:
        total = sum(report.timing.values())
        stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in report.timing.items())
        yield from ("", f"Time: {total:.1f} s ({stages})")


def _source_text(machine: Machine) -> Iterator[str]:
    boot = f", boot by {machine.boot.method}" if machine.boot else ""
    yield f"Source: {machine.name} ({machine.hypervisor}, read as {machine.kind})"
    yield f"  {machine.vcpus} vCPU, {iec(machine.memory_bytes)}, firmware {machine.firmware}{boot}"
    for disk in machine.disks:
        parts = [disk.device, disk.controller, disk.format]
        about = ", ".join(str(part) for part in parts if part)
        length = f" {iec(disk.virtual_bytes)}" if disk.virtual_bytes is not None else ""
        where = disk.path if disk.host is None else f"{disk.host}:{disk.path}"
        yield f"  disk {where}{length}" + (f" ({about})" if about else "")
    for nic in machine.nics:
        about = f" ({nic.model})" if nic.model else ""
        yield f"  NIC {nic.mac or 'without MAC'} on {nic.network.kind} {nic.network.name}{about}"


def _guest_text(guest: Guest) -> Iterator[str]:
    yield f"Guest: {guest.product} ({guest.arch}, {short_id(guest)})"
    if guest.windows is None:
        yield f"  firmware {guest.firmware}, boot loader {guest.bootloader}"
    else:
        drives = ", ".join(f"{name}: on {at}" for name, at in guest.windows.drive_letters.items())
        yield f"  firmware {guest.firmware}, build {guest.windows.build}; {drives or 'no drives'}"
    if len(guest.roots) > 1:
        yield f"  one of several systems: {', '.join(guest.roots)}"
    for mountpoint, device in guest.mountpoints.items():
        yield f"  {mountpoint} on {device}"
    for kernel in guest.kernels:
        drivers = ", ".join(f"{device} {how}" for device, how in kernel.virtio.items())
        default = " (default)" if kernel.default else ""
        yield f"  kernel {kernel.version}{default}: virtio {drivers or 'missing'}"
        if kernel.initramfs:
            answer = {True: "holds virtio", False: "lacks virtio", None: "could not be read"}
            yield f"    {kernel.initramfs} {answer[kernel.initramfs_has_virtio]}"


def _changes_text(changes: Iterable[Change], *, diffs: bool) -> Iterator[str]:
    listed = tuple(changes)
    yield f"Changes: {len(listed) or 'none'}"
    for number, change in enumerate(listed, 1):
        yield f"  {number}. {change.describe()}"
        yield f"     {change.why}"
        diff = change.diff() if diffs else None
        if diff:
            yield from textwrap.indent(diff.rstrip(), "       ").splitlines()


def _findings_text(title: str, findings: tuple[Finding, ...]) -> Iterator[str]:
    if findings:
        yield from ("", f"{title}: {len(findings)}")
    for finding in findings:
        yield f"  {finding.code}: {finding.message}"
        if finding.hint:
            yield f"    {finding.hint}"


def _target_text(target: TargetSummary, *, dry_run: bool) -> Iterator[str]:
    need = sum(disk.estimated_bytes for disk in target.disks)
    yield "Would be written:" if dry_run else "Written:"
    for disk in target.disks:
        yield (
            f"  {disk.path} ({disk.format}, {iec(disk.virtual_bytes)} virtual, "
            f"up to {iec(disk.estimated_bytes)})"
        )
    yield (
        f"  a domain on {target.machine} with {target.firmware}, disks on {target.block_bus}, "
        f"NICs as {target.net_model}"
    )
    if target.cpu_level > 1:
        yield f"  the guest's programs need a CPU of x86-64-v{target.cpu_level}"
    yield f"  space needed: {iec(need)}"
