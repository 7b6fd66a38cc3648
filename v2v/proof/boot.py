# SPDX-License-Identifier: LGPL-2.1-or-later
"""Booting a domain on throw-away overlays and looking at it until there is a verdict."""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from v2v.accel import NO_KVM, kvm_works
from v2v.cancellation import Cancellation, check
from v2v.errors import CommandError, Finding, ProofError
from v2v.observer import Observer, Progress
from v2v.proof import firmware
from v2v.proof.causes import failed_units
from v2v.proof.domain import read
from v2v.proof.evidence import Evidence
from v2v.proof.hardware import Hardware
from v2v.proof.qemu import command_line
from v2v.proof.qmp import Monitor
from v2v.proof.screen import font
from v2v.proof.setting import Setting
from v2v.proof.verdict import Judge, Look
from v2v.proof.watch import Watch
from v2v.run import Child, run, running

_LAST_LINES = 20
_FIRMWARE_LINES = 5  # most of a SeaBIOS log is about its own work
_BOOT_CODE = 440  # bytes in front of the disk signature and the partition table
_TRIES = 2  # where what failed was the emulation
_PAUSE = 0.5  # seconds between two looks
_END = 1.0  # seconds until a QEMU whose connections are closed has ended
_START = 60.0  # seconds that QEMU may take to open its monitor; it opens all images before


def verify(
    domain: Path,
    *,
    timeout: float = 300,
    observer: Observer | None = None,
    cancellation: Cancellation | None = None,
) -> Evidence:
    """Boot what a libvirt domain XML describes and return the evidence that it boots or not.

    The guest runs on overlays, with a network that leads nowhere; no disk of its is changed. A
    guest that does not boot is no error. Raises ProofError where the domain cannot be tried, and
    CancelledError.
    """
    progress = Progress(observer, cancellation)
    with progress.running():
        hardware = read(domain)
        kvm = kvm_works()
        progress.stage("proof", f"Booting {hardware.name}")
        crashes: list[Finding] = []
        for left in reversed(range(_TRIES)):
            try:
                with tempfile.TemporaryDirectory(prefix="v2v-proof-") as folder:
                    setting = _prepare(hardware, Path(folder), kvm=kvm)
                    evidence = _boot(hardware, setting, timeout)
            except Crash as crash:
                if kvm or not left:
                    raise
                crashes.append(Finding("W-PROOF-CRASH", f"{crash}; the proof was begun anew"))
                continue
            if kvm or not timer_failed(evidence):
                break
        evidence = replace(evidence, warnings=(*crashes, *evidence.warnings))
        for finding in evidence.warnings:
            progress.warned(finding)
    return evidence


class Crash(ProofError):
    """QEMU was ended by a signal, which says nothing of the guest.

    Debian 12's (7.2.22) was seen to end by SIGSEGV, emulating a guest that boots.
    """


def timer_failed(evidence: Evidence) -> bool:
    """Tell whether an emulated guest died of this host's load, which says nothing of the guest.

    Linux counts ticks while it spins at start-up; an emulator that the host does not run for a
    moment delivers too few (check_timer in arch/x86/kernel/apic/io_apic.c).
    """
    return evidence.cause is not None and "IO-APIC + timer doesn't work" in evidence.cause.said


def _prepare(hardware: Hardware, folder: Path, *, kvm: bool) -> Setting:
    """Make the overlays and the guest's own copy of the firmware's variables."""
    overlays = []
    for at, drive in enumerate(hardware.drives):
        overlay = folder / f"drive{at}.qcow2" if drive.path else None
        if overlay is not None and drive.path is not None:
            _overlay(drive.path.absolute(), drive.format, overlay)
        overlays.append(overlay)
    if hardware.uefi is None:
        return Setting(folder, kvm, tuple(overlays))
    code, template = firmware.choose(hardware.uefi, q35=hardware.q35)
    variables = folder / "variables.fd"
    shutil.copyfile(template, variables)
    return Setting(folder, kvm, tuple(overlays), code, variables)


def _overlay(image: Path, image_format: str, overlay: Path) -> None:
    try:
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", image_format, "-b", image, overlay)
    except CommandError as error:
        said = error.stderr.strip().splitlines()[0] if error.stderr.strip() else "no message"
        raise ProofError(
            "E-PROOF-DISK",
            f"{image}: cannot be opened as {image_format}: {said}",
            hint="see that the XML names the right driver type for the image",
        ) from error


def _has_boot_code(hardware: Hardware, setting: Setting) -> bool:
    """Tell whether the first sector of the disk that a BIOS starts from is more than a table.

    A BIOS looks for the mark at the sector's end alone, and would run zeros without a word.
    """
    bootable = [at for at, drive in enumerate(hardware.drives) if drive.boot and not drive.cdrom]
    first = min(bootable, key=lambda at: hardware.drives[at].boot or 0, default=None)
    overlay = None if first is None else setting.overlays[first]
    if overlay is None:
        return True
    sector = setting.folder / "sector"
    options = ("-f", "qcow2", "-O", "raw", "bs=512", "count=1")
    run("qemu-img", "dd", *options, f"if={overlay}", f"of={sector}")
    return any(sector.read_bytes()[:_BOOT_CODE])


def _boot(hardware: Hardware, setting: Setting, timeout: float) -> Evidence:
    macs = tuple(card.mac for card in hardware.cards)
    judge = Judge(
        macs,
        timeout,
        has_screen=hardware.video is not None,
        has_boot_code=hardware.uefi is not None or _has_boot_code(hardware, setting),
    )
    with _started(hardware, setting) as watch:
        begun = time.monotonic()
        while True:
            check()
            look = watch.look(time.monotonic() - begun)
            judge.see(look)
            if verdict := judge.verdict():
                break
            time.sleep(_PAUSE)
        screenshot = watch.screenshot()
    booted = verdict.cause is None
    return Evidence(
        name=hardware.name,
        booted=booted,
        level=judge.level,
        seconds=round(look.seconds, 1),
        accel="kvm" if setting.kvm else "tcg",
        signs=tuple(judge.signs),
        cause=verdict.cause,
        console=_console(look),
        screen=look.screen.lines[-_LAST_LINES:],
        screenshot=screenshot,
        warnings=(
            *hardware.warnings,
            *_limits(hardware, setting),
            *_shortcomings(look, judge.silent_nics if booted else ()),
        ),
    )


def _console(look: Look) -> tuple[str, ...]:
    """Return the end of what the guest wrote; before that, the firmware's last words."""
    lines = look.console.splitlines()[-_LAST_LINES:]
    return tuple(lines or look.firmware.splitlines()[-_FIRMWARE_LINES:])


@contextmanager
def _started(hardware: Hardware, setting: Setting) -> Iterator[Watch]:
    """Start QEMU and its guest. Raises ProofError (E-PROOF-QEMU) if QEMU fails, now or later."""
    stderr = setting.folder / "stderr"
    with running(*command_line(hardware, setting), stderr=stderr) as qemu, ExitStack() as stack:
        try:
            monitor = Monitor(stack.enter_context(_connected(setting.qmp, qemu.poll)))
            agent = None
            if hardware.agent:
                agent = stack.enter_context(_connected(setting.agent, qemu.poll))
            monitor.execute("cont")
            yield Watch(hardware, setting, monitor, agent)
        except ProofError as error:
            if (number := _ended_by(qemu)) is not None:
                raise Crash(
                    "E-PROOF-CRASH",
                    f"{hardware.name}: QEMU was ended by {signal.Signals(number).name}",
                    hint="what says the kernel? journalctl -k",
                ) from error
            said = stderr.read_text(errors="replace").strip().splitlines()
            if not said:
                raise
            raise ProofError(
                "E-PROOF-QEMU",
                f"{hardware.name}: QEMU failed: {said[-1]}",
                hint="see that nothing else uses the domain's disks, and that this QEMU has what "
                "the XML asks for",
            ) from error


def _connected(path: Path, exit_status: Callable[[], int | None]) -> socket.socket:
    """Connect to a socket that QEMU is about to listen at."""
    deadline = time.monotonic() + _START
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            if exit_status() is not None or time.monotonic() > deadline:
                raise ProofError("E-PROOF-QEMU", f"qemu: {path.name}: {error}") from error
            time.sleep(0.05)
        else:
            return connection


def _ended_by(qemu: Child) -> int | None:
    """Return the signal that ended QEMU, which has just failed; None if it ended otherwise."""
    deadline = time.monotonic() + _END
    while (status := qemu.poll()) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return -status if status is not None and status < 0 else None


def _limits(hardware: Hardware, setting: Setting) -> Iterator[Finding]:
    if not setting.kvm:
        yield NO_KVM
    if hardware.video is not None and font() is None:
        yield Finding(
            "W-PROOF-FONT",
            "no VGA BIOS is installed, so text on the guest's screen cannot be read",
            hint="apt-get install seabios",
        )


def _shortcomings(look: Look, silent_nics: tuple[str, ...]) -> Iterator[Finding]:
    for mac in silent_nics:
        yield Finding(
            "W-PROOF-NIC",
            f"interface {mac}: the guest sent nothing",
            hint="see that the guest's network configuration knows the NIC by its new name",
        )
    for unit in failed_units(f"{look.console}\n" + "\n".join(look.screen.lines)):
        yield Finding("W-PROOF-UNIT", f"failed in the guest: {unit}", hint="read its journal")
