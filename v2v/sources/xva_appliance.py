# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports of XenServer before 4.0, the first version of XVA: a folder, or a tar of it.

ova.xml describes the guest as an appliance. A disk is a folder of gzips, ``chunk-000000000.gz`` and
on, each of 10^9 bytes of it, the last of what is left (XenServer's "VM import/export"; xen-api,
xva.ml and import_xva.ml).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from v2v.disks.xva import damaged
from v2v.errors import Finding, SourceError
from v2v.model import (
    Disk,
    DiskFormat,
    Display,
    Firmware,
    Hypervisor,
    Machine,
    Network,
    NetworkKind,
    Nic,
)
from v2v.packed import Packed, Packing, Piece
from v2v.sources import xen
from v2v.sources.identity import only_guest
from v2v.sources.ova_files import Package, copied, escapes

ROOT = "appliance"
_VERSION = "0.1"
_PACKING = "dir-gzipped-chunks"  # the only one that there is
_SCHEME = "file://"
_CHUNK = re.compile(r"chunk-?([0-9]{9})\.gz")
_ROOT_DISK = "root"


def parse(root: etree._Element, package: Package, path: Path, system: str | None) -> Machine:
    """Return the guest of an appliance, by name where there are several. Raises SourceError.

    ``path`` is the export, or the folder that it is. The format knows no NICs: XenServer let its
    users add them.
    """
    where = f"{path}: ova.xml"
    version = root.get("version")
    if version != _VERSION:
        raise SourceError("E-XVA-VERSION", f"{where}: an appliance of the version {version!r}")
    vm = only_guest([(_name(each), each) for each in root.iterfind("vm")], where, system)
    name = _name(vm)
    hvm = _attribute(vm, "hacks", "is_hvm", "true").lower() == "true"  # xen-api's default
    kind = xen.GuestType.hvm if hvm else xen.GuestType.pv
    disks = tuple(_disks(root, vm, package, path, kind))
    cmdline = _attribute(vm, "hacks", "kernel_boot_cmdline", "").strip()
    return Machine(
        kind="xva",
        hypervisor=Hypervisor.xen,
        name=name,
        memory_bytes=number(_attribute(vm, "config", "mem_set", ""), "mem_set", where),
        vcpus=number(_attribute(vm, "config", "vcpus", ""), "vcpus", where),
        disks=disks,
        folder=package.where if package.where.is_dir() else package.where.parent,
        features=("acpi", "apic", "pae") if hvm else (),
        firmware=Firmware.bios if hvm else Firmware.unknown,
        boot=xen.boot(kind, bootloader=None if hvm else "pygrub", cmdline=cmdline or None),
        nics=(Nic(xen.derived_mac(name, 0), "netfront", Network(NetworkKind.network, "default")),),
        display=Display("vnc"),
        warnings=(
            Finding(
                "W-XVA-NIC",
                f"{where}: the format knows no NICs, so the guest gets one, on the network default",
                "plug it elsewhere: --network",
            ),
            *map(copied, disks),
        ),
    )


def _name(vm: etree._Element) -> str:
    return (vm.findtext("label") or "").strip() or vm.get("name", "")


def _disks(
    root: etree._Element, vm: etree._Element, package: Package, path: Path, kind: xen.GuestType
) -> Iterator[Disk]:
    """Yield the disks of a guest, the one that it boots from first."""
    where = f"{path}: ova.xml"
    images = {vdi.get("name", ""): vdi for vdi in root.iterfind("vdi")}
    for vbd in sorted(vm.iterfind("vbd"), key=lambda each: each.get("function") != _ROOT_DISK):
        device = vbd.get("device", "")
        vdi = images.get(vbd.get("vdi", ""))
        if vdi is None:
            raise SourceError("E-XVA-XML", f"{where}: there is no image of the disk {device!r}")
        packing, source = vdi.get("type"), vdi.get("source", "")
        if packing != _PACKING or not source.startswith(_SCHEME):
            raise SourceError(
                "E-XVA-VERSION", f"{where}: the image of {device!r} is {source!r}, a {packing!r}"
            )
        folder = posixpath.normpath(source.removeprefix(_SCHEME))
        if folder.startswith(("/", "..")) or "\0" in folder:
            raise escapes(path, source, "lies outside of the export")
        yield Disk(
            str(package.where / folder),
            DiskFormat.raw,
            xen.disk_bus(kind, device),
            device,
            number(vdi.get("size", ""), "size", where),
            packed=Packed(tuple(_chunks(package, folder)), Packing.gzip),
        )


def _chunks(package: Package, folder: str) -> Iterator[Piece]:
    """Yield the parts of a disk in their order. Raises SourceError if one is not there."""
    found = {
        int(match[1]): name
        for name in package.names(folder)
        if (match := _CHUNK.fullmatch(posixpath.basename(name))) is not None
    }
    for index in range(max(found, default=0) + 1):
        packed = package.find(found[index]) if index in found else None
        if packed is None:
            raise damaged(package.where, f"{folder} has no chunk {index}")
        yield from packed.pieces


def _attribute(vm: etree._Element, tag: str, key: str, otherwise: str) -> str:
    found = vm.find(tag)
    return otherwise if found is None else found.get(key, otherwise)


def number(text: str, key: str, where: str) -> int:
    """Return a number above zero that stands in ova.xml. Raises SourceError."""
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) == 0:
        raise SourceError("E-XVA-XML", f"{where}: {key} is {text!r}, and no number")
    return int(text)
