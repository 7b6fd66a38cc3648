# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a medium has for each Windows that can be converted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.virtio_win import DriverSet, Media
from v2v.windows_guest import Windows

# Name, version of NT, build, kind, architectures; the builds are those of the first releases.
_RELEASES = (
    ("Windows XP", (5, 1), 2600, "Client", ("i686",)),
    ("Windows Server 2003", (5, 2), 3790, "Server", ("i686", "x86_64")),
    ("Windows Vista", (6, 0), 6000, "Client", ("i686", "x86_64")),
    ("Windows Server 2008", (6, 0), 6001, "Server", ("i686", "x86_64")),
    ("Windows 7", (6, 1), 7600, "Client", ("i686", "x86_64")),
    ("Windows Server 2008 R2", (6, 1), 7600, "Server", ("x86_64",)),
    ("Windows 8", (6, 2), 9200, "Client", ("i686", "x86_64")),
    ("Windows Server 2012", (6, 2), 9200, "Server", ("x86_64",)),
    ("Windows 8.1", (6, 3), 9600, "Client", ("i686", "x86_64")),
    ("Windows Server 2012 R2", (6, 3), 9600, "Server", ("x86_64",)),
    ("Windows 10", (10, 0), 19045, "Client", ("i686", "x86_64", "aarch64")),
    ("Windows Server 2016", (10, 0), 14393, "Server", ("x86_64",)),
    ("Windows Server 2019", (10, 0), 17763, "Server", ("x86_64",)),
    ("Windows Server 2022", (10, 0), 20348, "Server", ("x86_64",)),
    ("Windows 11", (10, 0), 22000, "Client", ("x86_64", "aarch64")),
    ("Windows Server 2025", (10, 0), 26100, "Server", ("x86_64",)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """The drivers for one Windows."""

    windows: str
    arch: str
    drivers: DriverSet

    def to_text(self) -> str:
        """Return lines for people: a driver each, with its version and service."""
        found = [
            f"  {package.device:8} {package.inf:14} {package.version:20} service {package.service}"
            for package in self.drivers.packages
        ]
        if self.drivers.agent is not None:
            found.append(f"  agent    {self.drivers.agent[0]}")
        return "\n".join((f"{self.windows} ({self.arch})", *(found or ["  none"]))) + "\n"

    def to_json(self) -> dict[str, object]:
        """Return what the json module takes."""
        agent = self.drivers.agent
        return {
            "windows": self.windows,
            "arch": self.arch,
            "drivers": [
                {
                    "device": package.device,
                    "inf": package.inf,
                    "version": package.version,
                    "service": package.service,
                }
                for package in self.drivers.packages
            ],
            "agent": None if agent is None else agent[0],
        }


def rows(media: Media) -> Iterator[Row]:
    """Yield what there is for each Windows. Raises DriverError."""
    for name, nt, build, variant, architectures in _RELEASES:
        for arch in architectures:
            windows = Windows("", "", "", "", nt, build, variant)
            yield Row(name, arch, media.choose(windows, arch))
