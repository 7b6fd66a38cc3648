# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a disk image is, and which files it draws in, found out before QEMU sees any of them.

An image can name other files: a backing file, an external data file, extents. QEMU opens what is
named, /etc/shadow or a server on the network too, and its content ends up in the converted disk.
So our own code reads the headers, and follows names only inside of the guest's own folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from v2v.disks import desktop, qcow, vhd, vhdx, vmdk
from v2v.disks.imagefile import LOCAL, Header, ImageFile, Place, Reference, Role
from v2v.disks.parents import named_parent, parent_beside
from v2v.disks.verification import Check
from v2v.disks.vmdk_grains import ESX_SPARSE_MAGIC, SPARSE_MAGIC
from v2v.errors import SourceError
from v2v.model import Disk, DiskFormat

_MAX_DEPTH = 200  # of a backing chain; VMware ends at 32 snapshots
# What these are shows only to their readers: a text without its usual first line, a footer.
_LOOSE = (DiskFormat.vpc, DiskFormat.vmdk)
_MOVED = (DiskFormat.vmdk, DiskFormat.vpc, DiskFormat.vhdx)
_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class Image:
    """A disk image whose headers are sound, with all the files that it draws in."""

    path: Path  # absolute; symbolic links are kept, as names in the header are relative to it
    format: DiskFormat
    virtual_bytes: int
    allocated_bytes: int  # on the host's disk, without the backing chain
    backing: Image | None = None
    backing_is_plain: bool = True  # QEMU would open just that, going by the header alone
    data_file: Path | None = None  # qcow2's external data file
    extents: tuple[Path, ...] = ()  # of a VMDK descriptor
    remote: bool = False  # its backing or data file is on no disk of this host; the user trusts it
    cid: str | None = None  # a VMDK's content id, a VHD's unique id
    wwid: str | None = None  # what the disk tells its guest of itself
    by_us: bool = False  # our own reader puts it together: QEMU cannot, or takes its time
    ours: bool = False  # made for this conversion: it is changed and becomes the result
    parts: tuple[tuple[int, Image], ...] = ()  # extents that are images: their number, and it
    window: tuple[int, int] | None = None  # where in its file it lies, and how long: whole sectors
    verify: Check | None = None  # compares it with its checksums; None: it has none

    def is_plain_file(self) -> bool:
        """Tell whether it is all of a file or device, and nothing that is served to QEMU."""
        return self.window is None and not self.path.is_socket()

    def chain(self) -> Iterator[Image]:
        """Yield this image and what is under it, from the top."""
        image: Image | None = self
        while image is not None:
            yield image
            image = image.backing

    def files(self) -> Iterator[Path]:
        """Yield every file of this host that the disk's content comes from."""
        for image in self.chain():
            yield image.path
            yield from image.extents
            if image.data_file is not None:
                yield image.data_file


def _read_raw(file: ImageFile) -> Header:
    if file.size == 0:
        raise file.truncated("the image is empty")
    return Header(file.virtual(file.size))


_READERS: dict[DiskFormat, Callable[[ImageFile], Header]] = {
    DiskFormat.raw: _read_raw,
    DiskFormat.qcow2: qcow.read_qcow2,
    DiskFormat.qcow: qcow.read_qcow,
    DiskFormat.qed: qcow.read_qed,
    DiskFormat.vmdk: vmdk.read_vmdk,
    DiskFormat.vpc: vhd.read_vhd,
    DiskFormat.vhdx: vhdx.read_vhdx,
    DiskFormat.vdi: desktop.read_vdi,
    DiskFormat.parallels: desktop.read_parallels,
}


def inspect_image(disk: Disk, folder: Path, *, trust: bool, place: Place = LOCAL) -> Image:
    """Return what a disk of the source is, from its own headers; no other program has seen it.

    The format that the configuration names wins: ``raw`` is never probed into something else.
    Files that the image names must lie in ``folder`` or beside the image, symbolic links
    followed, unless ``trust``. Raises SourceError.
    """
    path = (folder / disk.path).absolute()
    fence = None if trust else _Fence(place, place.real(folder), place.real(path.parent))
    parents = tuple(folder / parent for parent in disk.parents)
    return _Inspection(fence, place, parents).image(path, disk.format, top=True)


def detect(file: ImageFile) -> DiskFormat:
    """Return the format that an image's magic numbers tell, raw if there are none."""
    head = file.start(80)
    if head.startswith(qcow.QCOW_MAGIC):
        return DiskFormat.qcow if head[4:8] == b"\0\0\0\1" else DiskFormat.qcow2
    if head.startswith((SPARSE_MAGIC, ESX_SPARSE_MAGIC, vmdk.TEXT_MAGIC)):
        return DiskFormat.vmdk
    if head.startswith(vhdx.VHDX_MAGIC):
        return DiskFormat.vhdx
    if head.startswith(qcow.QED_MAGIC):
        return DiskFormat.qed
    if head.startswith(desktop.PARALLELS_MAGIC):
        return DiskFormat.parallels
    if head[desktop.VDI_MAGIC_AT :].startswith(desktop.VDI_MAGIC):
        return DiskFormat.vdi
    if head.startswith(vhd.VHD_MAGIC) or vhd.is_fixed_vhd(file):
        return DiskFormat.vpc
    return DiskFormat.raw


def _agreed(file: ImageFile, format: DiskFormat) -> DiskFormat:
    """Return the format that the configuration names if the content can be that."""
    if format is DiskFormat.raw:
        return format
    found = detect(file)
    if found is format or (found is DiskFormat.raw and format in _LOOSE):
        return format
    raise file.malformed(
        f"is said to be {format}, but its content is {found}",
        hint=f"correct the format in the guest's configuration to {found}, if that is right",
    )


@dataclass(frozen=True, slots=True)
class _Fence:
    """Where the files may lie that an image names."""

    place: Place
    folder: Path | None  # the guest's own, with all below it; None: it is not there
    beside: Path | None  # the disk's, without what is below it

    def holds(self, path: Path) -> bool:
        """Tell whether a path lies inside, wherever symbolic links lead."""
        real = self.place.real(path)
        if real is None:
            return False
        # The root is nobody's own folder.
        folder = None if self.folder == Path("/") else self.folder
        return (folder is not None and real.is_relative_to(folder)) or real.parent == self.beside


class _Inspection:
    """One walk down a disk's backing chain."""

    def __init__(self, fence: _Fence | None, place: Place, parents: tuple[Path, ...]) -> None:
        self._fence = fence  # None: the image is trusted
        self._place = place
        self._parents = parents  # what the configuration says to be below the image
        self._seen: set[Path] = set()

    def image(self, path: Path, format: DiskFormat | None, *, top: bool = False) -> Image:
        """Return an image with all that it draws in."""
        with self._place.open(path, devices=top or self._fence is None) as file:
            self._refuse_loop(path)
            format = detect(file) if format is None else _agreed(file, format)
            header = _READERS[format](file)
        image = Image(
            path,
            format,
            header.virtual_bytes,
            file.allocated,
            cid=header.cid,
            wwid=header.wwid,
            by_us=header.by_us,
        )
        for reference in header.references:
            image = self._with(image, reference)
        return image

    def _refuse_loop(self, path: Path) -> None:
        real = self._place.real(path) or path
        if real in self._seen or len(self._seen) >= _MAX_DEPTH:
            raise SourceError(
                "E-IMAGE-CHAIN",
                f"{path}: its backing files lead back to it, or are over {_MAX_DEPTH}",
                hint="the image is damaged; copy it from its source again",
            )
        self._seen.add(real)

    def _with(self, image: Image, reference: Reference) -> Image:
        """Return the image with one of the files that its header names."""
        path = self._locate(image.path, reference)
        if path is None:
            return replace(image, remote=True)
        if reference.role is Role.backing:
            backing = self.image(path, reference.format)
            _refuse_changed_parent(image, backing, reference)
            return replace(image, backing=backing, backing_is_plain=_plain(image, path, reference))
        with self._place.open(path, devices=self._fence is None) as file:
            if reference.format is DiskFormat.vmdk:
                vmdk.check_extent(file)
            file.require(0, reference.bytes, "the extent")
        image = replace(image, allocated_bytes=image.allocated_bytes + file.allocated)
        if reference.role is Role.data:
            return replace(image, data_file=path)
        return replace(image, extents=(*image.extents, path))

    def _locate(self, image: Path, reference: Reference) -> Path | None:
        """Return the file that a header names; None for a remote one, which the user trusts."""
        if "\0" in reference.name:
            raise _escapes(image, reference, "is no file name")
        if reference.role is Role.backing:
            named = named_parent(self._place, reference, self._parents)
            if named is not None:
                return named
        path = image.parent / reference.name
        if reference.by_id:
            path = parent_beside(self._place, image, reference.name)
        elif reference.moved or (reference.role is Role.backing and reference.format in _MOVED):
            # Absolute names of the old host are left in snapshots that were moved.
            path = (
                path
                if self._place.exists(path)
                else image.parent / re.split(r"[/\\]", reference.name)[-1]
            )
        # To QEMU a VMDK extent is always a local file, whatever its name looks like.
        remote = reference.role is not Role.extent and _PROTOCOL.match(reference.name)
        if remote and not self._place.exists(path):
            if self._fence is None:
                return None
            raise _escapes(image, reference, "is no file of this host")
        if self._fence is not None and not self._fence.holds(path):
            raise _escapes(image, reference, "lies outside of the guest's folder")
        return path


def _plain(image: Image, path: Path, reference: Reference) -> bool:
    return (
        reference.format is not None
        and path == image.path.parent / reference.name
        and not _PROTOCOL.match(reference.name)
    )


def _escapes(image: Path, reference: Reference, fact: str) -> SourceError:
    return SourceError(
        "E-IMAGE-ESCAPES",
        f"{image}: its {reference.role} {reference.name!r} {fact}",
        hint="if you know and trust this image, allow it with --trust-image",
    )


def _refuse_changed_parent(image: Image, parent: Image, reference: Reference) -> None:
    """A snapshot holds only while its parent is the one that it was made from."""
    if reference.cid is not None and reference.cid != parent.cid:
        raise SourceError(
            "E-IMAGE-CHAIN",
            f"{image.path}: its parent {parent.path.name} was changed after the snapshot"
            f" (content id {parent.cid}, expected {reference.cid})",
            hint="copy all files of the guest again while it is shut down",
        )
