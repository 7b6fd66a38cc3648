# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the first boot of a converted Windows guest in Wine's cmd, with stand-ins for its programs.

The batch files and the service's command line are the real ones; pnputil, msiexec, shutdown and
the like are batch files that note how they were called and return what the test wants.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from converters.windows.firstboot import SERVICE, Step, install
from drivers.virtio_win import DriverSet
from tests.converters.windows.conversions import CURRENT, SYSTEM, conversion, files
from v2v.hive import Hive

PROGRAMS = ("diskpart", "icacls", "msiexec", "ping", "pnputil", "sc", "shutdown")


def _for_wine(script: bytes) -> bytes:
    """Return a batch file that sees the stand-ins' exit codes: Wine's `call` makes 1 of all."""
    for program in PROGRAMS:
        script = script.replace(f"call {program} ".encode(), f"cmd /d /c {program}.cmd ".encode())
    return script


@dataclass
class WindowsBoots:
    """A prefix of Wine as the guest; ``starts`` are the service's starts so far."""

    prefix: Path
    starts: int = 0
    command: str = field(default="", init=False)

    @property
    def folder(self) -> Path:
        return self.prefix / "drive_c/windows/v2v"

    @property
    def programs(self) -> Path:
        return self.prefix / "drive_c/programs"

    def convert(
        self,
        steps: Sequence[Step],
        codes: Mapping[str, Mapping[str, int]] | None = None,
        drivers: DriverSet | None = None,
    ) -> None:
        """Put steps into the guest; ``codes``: program to exit codes by an argument, "" for any."""
        guest = files()
        made = conversion(guest, drivers)
        install(made, steps)
        for change in made.draft.changes:
            change.apply(guest)
        for folder in (self.folder, self.programs):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for path, content in guest.content.items():
            if path.startswith("/Windows/v2v/") and isinstance(content, bytes):
                target = self.folder / path.removeprefix("/Windows/v2v/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_for_wine(content))
        service = rf"{CURRENT}\Services\{SERVICE}"
        self.command = Hive(guest.read(SYSTEM), "SYSTEM").text(service, "ImagePath") or ""
        for program in PROGRAMS:
            self._stand_in(program, (codes or {}).get(program, {}))
        self.starts = 0

    def _stand_in(self, program: str, codes: Mapping[str, int]) -> None:
        lines = ["@echo off"]
        if program != "ping":  # it is the pause between two looks, and there are many of them
            lines.append(f'>>"%~dp0calls.txt" echo {program} %*')
        for argument, code in codes.items():
            said = f'if "%~2"=="{argument}" ' if argument else ""
            lines.append(f"{said}exit /b {code}")
        lines.append("exit /b 0")
        (self.programs / f"{program}.cmd").write_text("\r\n".join([*lines, ""]))

    def start(self) -> None:
        """Start the service once, as the service control manager does, and wait for its end."""
        boot = self.programs / "boot.cmd"
        boot.write_text(f"@set PATH=C:\\programs;%PATH%\r\n@{self.command}\r\n")
        self._wine("wine", "cmd", "/d", "/c", r"C:\programs\boot.cmd")
        self._wine("wineserver", "-w")
        self.starts += 1

    def run(self, at_most: int = 20) -> None:
        """Start the service again and again, as long as it makes Windows restart."""
        before = -1
        while self.starts < at_most and before < self.reboots:
            before = self.reboots
            self.start()

    def stop(self) -> None:
        """End what a step has left running."""
        self._wine("wineserver", "-k")

    def _wine(self, *argv: str) -> None:
        quiet = {"WINEDEBUG": "-all", "DISPLAY": "", "WINEDLLOVERRIDES": "mscoree,mshtml="}
        environ = {**os.environ, **quiet, "WINEPREFIX": str(self.prefix)}
        subprocess.run(argv, env=environ, capture_output=True, check=False, timeout=120)

    @property
    def calls(self) -> list[str]:
        path = self.programs / "calls.txt"
        return [line.strip() for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def reboots(self) -> int:
        return sum(call.startswith("shutdown") for call in self.calls)

    @property
    def complete(self) -> bool:
        return (self.folder / "complete").exists()

    @property
    def deleted(self) -> bool:
        return f"sc delete {SERVICE}" in self.calls

    @property
    def log(self) -> list[str]:
        """The lines of the log, without their dates."""
        lines = (self.folder / "log.txt").read_text().splitlines()
        return [line.split("M ", 1)[-1].strip() for line in lines]
