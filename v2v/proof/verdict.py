# SPDX-License-Identifier: LGPL-2.1-or-later
"""When a guest counts as booted, and when as dead.

A guest has booted when user space is shown to be up:
- the guest agent answers, or a console or the screen shows a login prompt or one of systemd's last
  targets; this ends the proof as soon as every NIC has been heard, or some seconds later; or
- no console can be read (there is none, or the screen is in graphics or ends in what looks like a
  login prompt), and the network is used and disks are written to, and written to again half a
  minute later. Neither one is proof alone: an initramfs can ask for an address, a check of the
  root file system writes.

Frames of a network boot never count, nor do those that a kernel sends by itself. A cause that
nothing can follow (a panic, a GRUB prompt, an emergency shell) ends the proof as failed, also after
a login prompt. What was seen before a reset proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from v2v.proof.causes import find_cause, find_kernel, find_login
from v2v.proof.evidence import Cause, Level, Reason, Sign
from v2v.proof.pcap import Traffic
from v2v.proof.screen import Screen

GRACE = 20.0  # seconds that a NIC has to be heard once user space is up
LAST_WORDS = 2.0  # seconds in which a dying guest may say more
SETTLED = 30.0  # seconds that traffic and writes must have gone on to count as proof
WRITTEN = 256 * 1024  # bytes; GRUB's environment block and a journal replay are less
_JUMP = "Booting from 0000:7c00"  # SeaBIOS' log, as it leaves for the boot sector
MAX_RESETS = 3  # a first boot may reset for SELinux labels or Windows drivers


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the running guest shows, all of it since the last reset."""

    seconds: float  # since power-on
    console: str = ""
    firmware: str = ""
    screen: Screen = field(default_factory=Screen)
    traffic: tuple[Traffic, ...] = ()  # of each NIC
    written: int = 0  # bytes, to all disks
    agent: bool = False
    resets: int = 0
    powered_off: bool = False
    panicked: bool = False  # the panic device was told


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a proof; ``cause`` is None if the guest has booted."""

    cause: Cause | None


class Judge:
    """Takes looks at a guest, keeps the signs of life in them and comes to a verdict."""

    def __init__(
        self,
        macs: tuple[str, ...],
        timeout: float,
        *,
        has_screen: bool = True,
        has_boot_code: bool = True,
    ) -> None:
        self._macs = macs
        self._has_boot_code = has_boot_code
        self._has_screen = has_screen
        self._timeout = timeout
        self._look = Look(0.0)
        self._base = Look(0.0)  # counters at the last reset
        self._proven: float | None = None  # when user space was shown to be up
        self._settling: Look | None = None  # the first one with both traffic and writes
        self._fatal: tuple[float, Cause] | None = None
        self._suspicion: Cause | None = None
        self._fresh: dict[tuple[Level, str], Sign] = {}  # since the last reset
        self.signs: list[Sign] = []

    @property
    def level(self) -> Level:
        """The strongest level since the last reset."""
        seen = {level for level, _ in self._fresh}
        return next((level for level in Level if level in seen), Level.nothing)

    @property
    def silent_nics(self) -> tuple[str, ...]:
        """The MACs of the NICs whose guest has not used them."""
        pairs = zip(self._macs, self._system_frames(), strict=False)
        return tuple(mac for mac, frames in pairs if not frames)

    def see(self, look: Look) -> None:
        """Take in a look at the guest."""
        if look.resets > self._look.resets:
            self._start_over(look)
        self._look = look
        text = "\n".join((look.firmware, look.console, *look.screen.lines))
        self._suspicion = find_cause(text, final=False) or self._suspicion
        cause = self._death(text)
        if cause is not None and self._fatal is None:
            self._fatal = look.seconds, cause
        self._note_signs()
        if self._proven is None and self.level in (Level.agent, Level.login):
            self._proven = look.seconds
        self._settling = self._note_settling()

    def _start_over(self, look: Look) -> None:
        self._base = look
        self._fresh.clear()
        self._proven = self._settling = None
        self.signs.append(Sign(Level.nothing, "the guest was reset", look.seconds))

    def _death(self, text: str) -> Cause | None:
        found = find_cause(text, final=True)
        if found is not None:
            return found
        if not self._has_boot_code and _JUMP in self._look.firmware:
            return Cause(
                Reason.no_boot_device,
                "the boot sector of the first disk holds no code",
                "put a boot loader there, such as GRUB's",
            )
        if self._look.panicked:
            return Cause(Reason.panic, "the guest reported a panic", "look at its console")
        if self._look.resets > MAX_RESETS:
            said = self._suspicion.said if self._suspicion else f"{self._look.resets} resets"
            return Cause(Reason.reboot_loop, said, "look at what the guest says before it resets")
        if self._look.powered_off:
            return Cause(Reason.powered_off, "the guest switched itself off", "look at its console")
        return None

    def _note_signs(self) -> None:
        look = self._look
        if look.agent:
            self._sign(Level.agent, "the guest agent answers")
        for place, text in (("console", look.console), ("screen", "\n".join(look.screen.lines))):
            if login := find_login(text):
                self._sign(Level.login, f"{place}: {login}", key=place)
            elif kernel := find_kernel(text):
                self._sign(Level.screen, f"{place}: {kernel[:100]}", key=place)
        if look.written - self._base.written >= WRITTEN:
            self._sign(Level.writes, "disks are written to")
        for mac, now, fresh in zip(self._macs, look.traffic, self._system_frames(), strict=False):
            if fresh:
                lease = f", address {now.lease}" if now.lease else ""
                self._sign(Level.network, f"{mac}: {now.first}{lease}", key=mac + lease)
        if look.screen.graphical and self._fresh:  # before that it is the firmware's logo
            self._sign(Level.screen, "the screen is in graphics")
        if look.screen.prompt:
            self._sign(Level.screen, "the screen ends in the shape of a login prompt")

    def _sign(self, level: Level, text: str, key: str = "") -> None:
        if (level, key or text) not in self._fresh:
            sign = Sign(level, text, round(self._look.seconds, 1))
            self._fresh[level, key or text] = sign
            self.signs.append(sign)

    def _system_frames(self) -> tuple[int, ...]:
        before = self._base.traffic or (Traffic(),) * len(self._look.traffic)
        pairs = zip(self._look.traffic, before, strict=False)
        return tuple(now.system - then.system for now, then in pairs)

    def _note_settling(self) -> Look | None:
        """Return the first look at all that is proof where no console can be read."""
        look = self._look
        unreadable = look.screen.graphical or look.screen.prompt or not self._has_screen
        speaks = any(level is Level.screen and key == "console" for level, key in self._fresh)
        lives = {Level.network, Level.writes} <= {level for level, _ in self._fresh}
        if not (unreadable and lives) or speaks:
            return None
        return self._settling or look

    def verdict(self) -> Verdict | None:
        """Return the verdict, or None as long as there is none."""
        now = self._look.seconds
        late = now >= self._timeout
        if self._fatal is not None:
            since, cause = self._fatal
            return Verdict(cause) if late or now - since >= LAST_WORDS else None
        if self._proven is not None:
            done = late or not self.silent_nics or now - self._proven >= GRACE
            return Verdict(None) if done else None
        if self._settling is not None and self._has_settled(self._settling):
            return Verdict(None)
        return Verdict(self._too_late()) if late else None

    def _has_settled(self, since: Look) -> bool:
        # Writes that have ended may have been a file system check before the end.
        goes_on = self._look.written > since.written
        return goes_on and self._look.seconds - since.seconds >= SETTLED

    def _too_late(self) -> Cause:
        if self._suspicion is not None:
            return self._suspicion
        said = f"no sign of user space after {self._timeout:.0f} s"
        return Cause(Reason.timeout, said, "give it more time, or a console=ttyS0 to speak on")
