# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the proof puts around a domain's hardware, so that nothing of it leads out.

Disks are overlays, NICs end in a restricted user-mode network (DHCP answers), consoles write to
files, and QEMU starts paused and outlives its guest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2v.proof.hardware import Card, Drive
from v2v.proof.words import Pair, blockdev, chardev, device, join, on


@dataclass(frozen=True, slots=True)
class Setting:
    """What the hardware is put into: files in a private folder, and what runs the CPUs."""

    folder: Path
    kvm: bool
    overlays: tuple[Path | None, ...]  # one for each drive; None: no medium
    code: Path | None = None  # UEFI
    variables: Path | None = None  # a copy of our own

    flags = ("-nodefaults", "-no-user-config", "-S")

    @property
    def qmp(self) -> Path:
        return self.folder / "qmp"

    @property
    def agent(self) -> Path:
        return self.folder / "agent"

    @property
    def firmware_log(self) -> Path:
        return self.folder / "firmware"

    @property
    def accelerator(self) -> str:
        return "kvm" if self.kvm else "tcg"

    @property
    def host_cpu(self) -> str:
        # Five levels of page tables cost an emulated guest a seventh of its speed, and buy nothing.
        return "host" if self.kvm else "max,la57=off"

    def console(self, name: str) -> Path:
        """Return the file that a console writes to."""
        return self.folder / f"console-{name}"

    def dump(self, nic: int) -> Path:
        """Return the file that a NIC's frames go to."""
        return self.folder / f"nic{nic}.pcap"

    def board(self) -> Iterator[Pair]:
        yield "-display", "none"
        yield "-boot", "strict=on"
        # After a power-off or a panic QEMU still has to say what it saw.
        yield "-action", "shutdown=pause,panic=pause"
        deny = {"elevateprivileges": "deny", "spawn": "deny", "resourcecontrol": "deny"}
        yield "-sandbox", join("on", obsolete="deny", **deny)
        yield chardev("socket", "qmp", self.qmp, server="on", wait="off")
        yield "-mon", "chardev=qmp,mode=control"

    def firmware(self) -> Iterator[Pair]:
        yield chardev("file", "firmware", self.firmware_log)
        yield device("isa-debugcon", iobase="0x402", chardev="firmware")

    def network(self, at: int, card: Card) -> Iterator[Pair]:
        net = f"net{at}"
        yield "-netdev", join("user", id=net, restrict="on", net=f"10.0.{at + 2}.0/24")
        yield (
            "-object",
            join("filter-dump", id=f"dump{at}", netdev=net, file=self.dump(at), maxlen=1024),
        )

    def text_console(self, name: str) -> Pair:
        return chardev("file", name, self.console(name))

    def agent_channel(self) -> Pair:
        return chardev("socket", "agent", self.agent, server="on", wait="off")

    def disk(self, at: int, drive: Drive) -> Pair | None:
        overlay = self.overlays[at]
        if overlay is None:
            return None
        # Nobody will want this overlay after a power cut, so it need not reach the disk.
        options = {"read-only": on(drive.cdrom), "cache.no-flush": "on", "discard": "unmap"}
        return blockdev("qcow2", f"drive{at}", overlay, **options)
