# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is known of a Windows guest beyond what every guest has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class App:
    """A program as Windows lists it under Uninstall in the SOFTWARE hive."""

    name: str  # DisplayName
    key: str  # in the hive; below WOW6432Node for 32-bit programs of a 64-bit Windows
    publisher: str = ""
    version: str = ""
    uninstall: str | None = None  # UninstallString, a command line


@dataclass(frozen=True, slots=True)
class Windows:
    """What the registry of a Windows guest says of it; paths are as the guest spells them."""

    systemroot: str  # such as /Windows
    system_hive: str
    software_hive: str
    control_set: str  # the current one, such as ControlSet001
    nt: tuple[int, int]  # (5, 1) of XP to (10, 0)
    build: int
    variant: str  # InstallationType: Client, Server, Server Core, Embedded; "" before Vista
    hostname: str = ""
    drive_letters: Mapping[str, str] = field(default_factory=dict)  # C to its device
    apps: tuple[App, ...] = ()
    group_policy: bool = False  # of a domain
    heads: int | None = None  # of its disk, as XP's boot sector has them; None: it has no matter
    sha2: bool = True  # it knows signatures of drivers by SHA-2
    antivirus: tuple[str, ...] = ()

    @property
    def server(self) -> bool:
        return self.variant.startswith("Server")
