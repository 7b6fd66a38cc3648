# SPDX-License-Identifier: LGPL-2.1-or-later
"""The virtio drivers for Windows: finds them on their medium and chooses those for a guest.

The medium is the ISO image virtio-win.iso, or a folder with its content. It is read on the host.
Which driver is for which Windows is said by its INF; of several that fit, the folder decides
(viostor/w10/amd64, amd64/2k22), as each is signed for the Windows that its folder names. For the
disk that Windows starts from, one that Windows would load wins.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drivers.authenticode import refusal
from drivers.inf import Inf, Model, Service
from drivers.media import Medium, open_medium
from drivers.windows_devices import Device, device_of
from v2v.windows_guest import Windows

PLACES = (Path("/usr/share/virtio-win/virtio-win.iso"), Path("/usr/share/virtio-win"))
# Folders, and the version, build and kind of the first Windows that each is for.
_FOLDERS: Mapping[str, tuple[tuple[int, int], int, bool]] = {
    "xp": ((5, 1), 0, False),
    "2k3": ((5, 2), 0, True),
    "2k8": ((6, 0), 0, True),
    "w7": ((6, 1), 0, False),
    "2k8r2": ((6, 1), 0, True),
    "w8": ((6, 2), 0, False),
    "2k12": ((6, 2), 0, True),
    "w8.1": ((6, 3), 0, False),
    "2k12r2": ((6, 3), 0, True),
    "w10": ((10, 0), 0, False),
    "2k16": ((10, 0), 0, True),
    "2k19": ((10, 0), 17763, True),
    "2k22": ((10, 0), 20348, True),
    "w11": ((10, 0), 22000, False),
    "2k25": ((10, 0), 26100, True),
}
_ARCHITECTURES = {"x86": "i686", "i386": "i686", "amd64": "x86_64", "arm64": "aarch64"}
# NetKVM's variants for SR-IOV and its protocol driver stand in each other's way (RHEL-56383).
_LEFT_OUT = re.compile(r"(^|/)sriov/|(^|/)vioprot\.inf$", re.IGNORECASE)
_AGENTS = {
    "i686": ("qemu-ga-i386.msi", "qemu-ga-x86.msi", "rhev-qga.msi"),
    "x86_64": ("qemu-ga-x86_64.msi", "qemu-ga-x64.msi", "rhev-qga64.msi"),
}
# Of these disks Windows starts, when it takes a driver only if it is signed as it wants it.
_STARTED_FROM = (Device.blk, Device.scsi)
_BALLOON_SERVICE = "blnsvr.exe"


@dataclass(frozen=True, slots=True)
class DriverPackage:
    """A driver: an INF with all files that belong to it."""

    name: str  # of the INF without its ending, such as viostor
    device: Device
    inf: str  # file name, in lower case
    service: str
    binary: str  # the service's program, a file name in lower case
    version: str
    class_guid: str  # in lower case, with braces
    hardware_ids: tuple[str, ...]
    files: Mapping[str, bytes] = field(repr=False)  # by file names in lower case
    refused: str | None = None  # why Windows would not start from its disk


@dataclass(frozen=True, slots=True)
class DriverSet:
    """The drivers for a guest, and what else the medium has for it."""

    packages: tuple[DriverPackage, ...]
    agent: tuple[str, bytes] | None  # qemu-ga's MSI: file name and content
    blnsvr: bytes | None
    searched: str  # for people: where
    wrapper: tuple[str, bytes] | None = None  # a program that makes a service of another one

    def get(self, device: Device) -> DriverPackage | None:
        return next((found for found in self.packages if found.device is device), None)


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: str
    inf: Inf
    model: Model
    device: Device
    service: Service
    refused: str | None
    rank: tuple[int, ...]


class Media:
    """A medium with drivers, or the lack of one."""

    def __init__(
        self, medium: Medium | None, searched: str, wrapper: tuple[str, bytes] | None = None
    ) -> None:
        self._medium = medium
        self._searched = searched
        self._wrapper = wrapper

    def choose(self, windows: Windows, arch: str) -> DriverSet:
        """Return the best driver for each device of a guest; none where nothing fits.

        Raises DriverError where the medium cannot be read.
        """
        if self._medium is None:
            return DriverSet((), None, None, self._searched, self._wrapper)
        best: dict[Device, _Candidate] = {}
        for candidate in self._candidates(self._medium, windows, arch):
            known = best.get(candidate.device)
            if known is None or candidate.rank > known.rank:
                best[candidate.device] = candidate
        return DriverSet(
            tuple(
                _package(self._medium, found, windows, arch)
                for _, found in sorted(best.items(), key=lambda entry: [*Device].index(entry[0]))
            ),
            self._agent(self._medium, arch),
            self._balloon_service(self._medium, windows, arch),
            self._searched,
            self._wrapper,
        )

    def _candidates(self, medium: Medium, windows: Windows, arch: str) -> Iterator[_Candidate]:
        for path in medium.paths:
            place = _place(path, windows, arch)
            if not path.lower().endswith(".inf") or _LEFT_OUT.search(path) or place is None:
                continue
            inf = Inf(medium.read(path))
            if not _present(medium, path, inf):
                continue
            for model in inf.models():
                devices = filter(None, map(device_of, model.hardware_ids))
                device = next(devices, None)
                service = inf.service(model)
                if device and service and model.target.fits(windows, arch):
                    refused = None
                    if device in _STARTED_FROM and service.binary in medium.beside(path):
                        program = medium.read(medium.beside(path)[service.binary])
                        refused = refusal(program, windows, arch)
                    rank = (int(refused is None), *place, *_numbers(inf.version))
                    yield _Candidate(path, inf, model, device, service, refused, rank)

    def _agent(self, medium: Medium, arch: str) -> tuple[str, bytes] | None:
        for name in _AGENTS.get(arch, ()):
            for path in medium.paths:
                if posixpath.basename(path).lower() == name:
                    return name, medium.read(path)
        return None

    def _balloon_service(self, medium: Medium, windows: Windows, arch: str) -> bytes | None:
        ranked = [
            (place, path)
            for path in medium.paths
            if posixpath.basename(path).lower() == _BALLOON_SERVICE
            and (place := _place(path, windows, arch)) is not None
        ]
        return medium.read(max(ranked)[1]) if ranked else None


@contextmanager
def open_media(path: Path | None, environ: Mapping[str, str]) -> Iterator[Media]:
    """Give the medium that is named, else that of VIRTIO_WIN, else the host's own, else none.

    Raises DriverError for one that is named and cannot be opened.
    """
    named = path or next(
        (Path(environ[name]) for name in ("VIRTIO_WIN", "VIRTIO_WIN_DIR") if environ.get(name)),
        None,
    )
    found = named or next((place for place in PLACES if place.exists()), None)
    wrapper = _wrapper(environ)
    if found is None:
        yield Media(None, ", ".join(map(str, PLACES)), wrapper)
        return
    with open_medium(found) as medium:
        yield Media(medium, str(found), wrapper)


def _wrapper(environ: Mapping[str, str]) -> tuple[str, bytes] | None:
    """Return the service program of the host's virt-tools, which virt-v2v looks for there too."""
    folder = Path(environ.get("VIRT_TOOLS_DATA_DIR") or "/usr/share/virt-tools")
    for name in ("rhsrvany.exe", "pvvxsvc.exe"):
        if (folder / name).is_file():
            return name, (folder / name).read_bytes()
    return None


def _place(path: str, windows: Windows, arch: str) -> tuple[int, ...] | None:
    """Rank a file by its folders, None for those of another Windows or architecture."""
    parts = [part.lower() for part in path.split("/")[:-1]]
    if any(_ARCHITECTURES.get(part, arch) != arch for part in parts):
        return None
    named = [_FOLDERS[part] for part in parts if part in _FOLDERS]
    if not named:
        return (0, 0, 0, 0, 0)
    nt, build, server = named[-1]
    if nt[0] != windows.nt[0] or nt > windows.nt or (nt == windows.nt and build > windows.build):
        return None
    # The same kind, then the newest; Vista has none of its own and is a Server 2008 inside.
    return (1, int(server == windows.server), *nt, build)


def _present(medium: Medium, path: str, inf: Inf) -> bool:
    """Tell whether all files that an INF names stand beside it."""
    return inf.files() <= medium.beside(path).keys()


def _package(medium: Medium, found: _Candidate, windows: Windows, arch: str) -> DriverPackage:
    name = posixpath.basename(found.path).lower()
    beside = medium.beside(found.path)
    wanted = {name, found.service.binary, *found.inf.files()}
    models = [model for model in found.inf.models() if model.target.fits(windows, arch)]
    return DriverPackage(
        name.removesuffix(".inf"),
        found.device,
        name,
        found.service.name,
        found.service.binary,
        found.inf.version,
        found.inf.class_guid,
        tuple(dict.fromkeys(word for model in models for word in model.hardware_ids)),
        {file: medium.read(beside[file]) for file in sorted(wanted) if file in beside},
        found.refused,
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
