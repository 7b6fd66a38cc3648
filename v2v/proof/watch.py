# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looking at a running guest from all the sides that QEMU offers."""

from __future__ import annotations

import socket
from pathlib import Path

from v2v.proof import pcap, screen
from v2v.proof.causes import plain
from v2v.proof.hardware import Hardware
from v2v.proof.qemu import console_names
from v2v.proof.qmp import Agent, Monitor
from v2v.proof.screen import Screen
from v2v.proof.setting import Setting
from v2v.proof.verdict import Look

_SCREEN_EVERY = 2.0  # seconds
_CONSOLE_TAIL = 256 * 1024  # bytes of a console that are read
_DUMP_HEAD = 4 * 1024 * 1024  # bytes of a packet dump that are read: the first frames count


class Log:
    """A file that QEMU appends to, from the last reset on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = 0

    def start_over(self) -> None:
        self._start = self._path.stat().st_size

    def text(self) -> str:
        """Return the last lines, as a terminal would show them."""
        with self._path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(self._start, end - _CONSOLE_TAIL))
            return plain(file.read(_CONSOLE_TAIL))


class Watch:
    """A running guest as it is seen from outside. ``agent``: connected to the agent's channel."""

    def __init__(
        self, hardware: Hardware, setting: Setting, monitor: Monitor, agent: socket.socket | None
    ) -> None:
        self._monitor = monitor
        self._agent = None if agent is None else Agent(agent)
        self._firmware = Log(setting.firmware_log)
        self._consoles = tuple(Log(setting.console(name)) for name in console_names(hardware))
        self._nics = tuple(
            (setting.dump(at), bytes.fromhex(card.mac.replace(":", "")))
            for at, card in enumerate(hardware.cards)
        )
        self._scratch = setting.folder / "screen"
        self._font = screen.font() if hardware.video is not None else None
        self._screen = Screen()
        self._screen_at = -_SCREEN_EVERY
        self._seen = b""
        self._resets = 0
        self._powered_off = self._panicked = False

    def look(self, seconds: float) -> Look:
        """Return what is to be seen now, ``seconds`` after power-on. Raises ProofError."""
        written = self._written()
        self._take_events(seconds)
        if self._font is not None and seconds - self._screen_at >= _SCREEN_EVERY:
            self._screen, self._screen_at = self._picture(self._font), seconds
        return Look(
            seconds=seconds,
            console="\n".join(console.text() for console in self._consoles),
            firmware=self._firmware.text(),
            screen=self._screen,
            traffic=tuple(_traffic(dump, mac) for dump, mac in self._nics),
            written=written,
            agent=self._agent is not None and self._agent.answers(),
            resets=self._resets,
            powered_off=self._powered_off,
            panicked=self._panicked,
        )

    def screenshot(self) -> bytes:
        """Return the last picture of the screen as a PNG; nothing if there was none."""
        return screen.png(self._seen)

    def _written(self) -> int:
        stats = self._monitor.execute("query-blockstats")
        drives = (one for one in stats if one.get("node-name", "").startswith("drive"))
        return sum(one["stats"]["wr_bytes"] for one in drives)

    def _take_events(self, seconds: float) -> None:
        for event in self._monitor.take_events():
            if event == "RESET":
                self._resets += 1
                for log in (self._firmware, *self._consoles):
                    log.start_over()
                self._screen, self._screen_at = Screen(), seconds  # the old picture is still up
            elif event == "SHUTDOWN":
                self._powered_off = True
            elif event == "GUEST_PANICKED":
                self._panicked = True

    def _picture(self, font: screen.Font) -> Screen:
        self._monitor.execute("screendump", filename=str(self._scratch))
        self._seen = self._scratch.read_bytes()
        seen = screen.read(self._seen, font)
        if not seen.text_mode or seen.lines:
            return seen
        address, size = screen.TEXT_MEMORY
        self._monitor.execute("pmemsave", val=address, size=size, filename=str(self._scratch))
        return Screen(screen.read_memory(self._scratch.read_bytes()), text_mode=True)


def _traffic(dump: Path, mac: bytes) -> pcap.Traffic:
    with dump.open("rb") as file:
        return pcap.read(file.read(_DUMP_HEAD), mac)
