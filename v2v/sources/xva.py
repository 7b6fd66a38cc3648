# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests as XenServer and XCP-ng export them: an XVA, read where it is.

``ova.xml`` is its first member: a value of XML-RPC with all objects of the guest, each with its
class, its reference and its fields (xen-api, datamodel). The first version of the format is in
v2v/sources/xva_appliance.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lxml import etree

from v2v.disks import xva
from v2v.disks.tar import tar_members
from v2v.errors import Finding, SourceError
from v2v.model import (
    Boot,
    Disk,
    DiskFormat,
    Display,
    Firmware,
    Hypervisor,
    Machine,
    Network,
    NetworkKind,
    Nic,
    Removable,
    RemovableKind,
)
from v2v.sources import config_file, xen, xva_appliance
from v2v.sources.identity import mac_address, only_guest, uuid_text
from v2v.sources.ova_files import Archive, Folder
from v2v.sources.xml import parse as parse_xml
from v2v.sources.xml import root_name

name = "xva"
about = "an XVA, the export of XenServer and XCP-ng, or the folder that an old one is"

Rpc: TypeAlias = "str | list[Rpc] | dict[str, Rpc]"
Record: TypeAlias = "Mapping[str, Rpc]"

FIRST = b"ova.xml\0"
_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class _Objects:
    """The records of an export, by class and reference."""

    where: str
    records: Mapping[str, Mapping[str, Record]]

    def all(self, kind: str) -> Mapping[str, Record]:
        return self.records.get(kind, {})

    def of(self, kind: str, machine: str) -> list[Record]:
        """Return the records that belong to a VM."""
        return [record for record in self.all(kind).values() if record.get("VM") == machine]


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is an XVA, or the description in a folder of one."""
    return _is_tar(head) or root_name(head) == xva_appliance.ROOT


def _is_tar(head: bytes) -> bool:
    return head.startswith(FIRST) and head[257:262] in (b"ustar", bytes(5))


def read(paths: Sequence[Path], system: str | None = None) -> Machine:
    """Return the guest of an export, by name where there are several. Raises SourceError."""
    (path,) = paths
    if root_name(config_file.head(path)) == xva_appliance.ROOT:
        root = parse_xml(config_file.content(path), str(path))
        return xva_appliance.parse(root, Folder(path.parent), path.parent, system)
    try:
        with path.open("rb") as file:
            first = next(xva.members(file, path), None)
            if first is None:
                raise xva.damaged(path, "the archive is empty")
            xva.refuse_large(first.size, path)
            file.seek(first.offset)
            data = file.read(first.size)
    except OSError as error:
        raise SourceError("E-SOURCE-READ", f"{path}: {error.strerror}") from error
    root = parse_xml(data, _where(path))
    if root.tag == xva_appliance.ROOT:
        return xva_appliance.parse(root, Archive(path, tar_members(path)), path, system)
    return _parsed(root, path, system)


def _where(path: Path) -> str:
    return f"{path}: ova.xml"


def parse(data: bytes, path: Path, system: str | None = None) -> Machine:
    """Return the guest that an ova.xml describes; its disks are in ``path``. Raises SourceError.

    What passes by once is of the second version: disks of the first have no place of their own.
    """
    root = parse_xml(data, _where(path))
    if root.tag == xva_appliance.ROOT:
        raise SourceError(
            "E-XVA-VERSION",
            f"{_where(path)}: is an export of version 1, which is read from its file alone",
            hint="save it to a file first, expanded",
        )
    return _parsed(root, path, system)


def _parsed(root: etree._Element, path: Path, system: str | None) -> Machine:
    where = _where(path)
    objects = _objects(_value(root, 0, where), where)
    reference, machine = _machine(objects, system)
    return _guest(objects, reference, machine, path)


def from_records(
    records: Mapping[str, Mapping[str, Mapping[str, object]]], reference: str, path: Path
) -> Machine:
    """Return a guest of the records that XAPI answers with, by class and reference.

    Raises SourceError.
    """
    plain = {
        kind: {key: _plain_record(record) for key, record in found.items()}
        for kind, found in records.items()
    }
    objects = _Objects(str(path), plain)
    return _guest(objects, reference, objects.all("VM")[reference], path)


def _plain_record(record: Mapping[str, object]) -> Record:
    return {key: _plain(value) for key, value in record.items()}


def _plain(value: object) -> Rpc:
    """Return a value of Python's XML-RPC as it stands in ova.xml: numbers and truth as text."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(int(value)) if isinstance(value, bool) else str(value)


def _guest(objects: _Objects, reference: str, machine: Record, path: Path) -> Machine:
    where = objects.where
    warnings: list[Finding] = []
    hvm = _text(machine, "HVM_boot_policy") != ""
    uuid = uuid_text(_text(machine, "uuid"))
    disks, removables = _drives(objects, reference, path, hvm=hvm)
    return Machine(
        kind=name,
        hypervisor=Hypervisor.xen,
        name=_text(machine, "name_label"),
        memory_bytes=_number(machine, "memory_static_max", where),
        vcpus=_number(machine, "VCPUs_max", where),
        disks=disks,
        folder=path.parent,
        features=("acpi", "apic", "pae") if hvm else (),
        firmware=_firmware(machine, hvm=hvm),
        secure_boot=_text(_struct(machine, "platform"), "secureboot") == "true",
        uuid=uuid,
        boot=_boot(machine, hvm=hvm),
        removables=removables,
        nics=tuple(_nics(objects, reference, uuid or path.name, warnings)),
        display=Display("vnc"),
        localtime=_text(_struct(machine, "platform"), "timeoffset") not in ("", "0") and hvm,
        warnings=tuple(warnings),
    )


def _value(element: etree._Element, depth: int, where: str) -> Rpc:
    """Return what a <value> of XML-RPC holds; numbers and truth stay text."""
    if depth > _MAX_DEPTH:
        raise SourceError("E-XVA-XML", f"{where}: its values are nested too deeply")
    inner = element[0] if len(element) else None
    if inner is None:
        return element.text or ""
    if inner.tag == "struct":
        return {
            member.findtext("name") or "": _value(found, depth + 1, where)
            for member in inner.iterfind("member")
            if (found := member.find("value")) is not None
        }
    if inner.tag == "array":
        return [_value(item, depth + 1, where) for item in inner.iterfind("data/value")]
    return inner.text or ""


def _objects(root: Rpc, where: str) -> _Objects:
    listed = root.get("objects") if isinstance(root, dict) else None
    records: dict[str, dict[str, Record]] = {}
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict):
            snapshot = entry.get("snapshot")
            kind, reference = _text(entry, "class"), _text(entry, "id")
            if isinstance(snapshot, dict):
                records.setdefault(kind, {})[reference] = snapshot
    return _Objects(where, records)


def _machine(objects: _Objects, system: str | None) -> tuple[str, Record]:
    """Return the VM that is neither a snapshot nor a template of others."""
    found = {
        reference: record
        for reference, record in objects.all("VM").items()
        if _text(record, "is_a_snapshot") != "1" and _text(record, "is_control_domain") != "1"
    }
    own = {key: record for key, record in found.items() if _text(record, "is_a_template") != "1"}
    guests = [
        (_text(record, "name_label"), (reference, record))
        for reference, record in (own or found).items()
    ]
    return only_guest(guests, objects.where, system)


def _drives(
    objects: _Objects, machine: str, path: Path, *, hvm: bool
) -> tuple[tuple[Disk, ...], tuple[Removable, ...]]:
    """Return disks and CD-ROM drives in the order in which the guest has them."""
    guest = xen.GuestType.hvm if hvm else xen.GuestType.pv
    blocks = sorted(objects.of("VBD", machine), key=_position)
    disks, removables = [], []
    for block in blocks:
        device = _device(block, hvm=hvm)
        image = objects.all("VDI").get(_text(block, "VDI"))
        if _text(block, "type") == "CD":
            bus = xen.disk_bus(guest, device)
            removables.append(Removable(RemovableKind.cdrom, bus, xen.slot(device)))
        elif image is not None:
            size = _number(image, "virtual_size", objects.where)
            bus = xen.disk_bus(guest, device)
            disks.append(
                Disk(str(path), DiskFormat.raw, bus, device, size, member=_text(block, "VDI"))
            )
    return tuple(disks), tuple(removables)


def _position(block: Record) -> int:
    text = _text(block, "userdevice")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _device(block: Record, *, hvm: bool) -> str:
    """Return the guest's name of a disk: by number where none is noted, as blkfront gives them."""
    noted = _text(block, "device")
    letter = chr(ord("a") + _position(block) % 26)
    return noted or (f"hd{letter}" if hvm else f"xvd{letter}")


def _boot(machine: Record, *, hvm: bool) -> Boot | None:
    return xen.boot(
        xen.GuestType.hvm if hvm else xen.GuestType.pv,
        bootloader=_text(machine, "PV_bootloader") or None,
        kernel=_text(machine, "PV_kernel") or None,
        ramdisk=_text(machine, "PV_ramdisk") or None,
        cmdline=_text(machine, "PV_args") or None,
    )


def _firmware(machine: Record, *, hvm: bool) -> Firmware:
    """Return an HVM guest's firmware; those of PV guests have none, their disks tell."""
    if not hvm:
        return Firmware.unknown
    return (
        Firmware.efi
        if _text(_struct(machine, "HVM_boot_params"), "firmware") == "uefi"
        else Firmware.bios
    )


def _nics(objects: _Objects, machine: str, seed: str, warnings: list[Finding]) -> Iterator[Nic]:
    vifs = sorted(objects.of("VIF", machine), key=lambda vif: _text(vif, "device").zfill(4))
    for index, vif in enumerate(vifs):
        network = objects.all("network").get(_text(vif, "network"), {})
        called = _text(network, "name_label") or _text(network, "bridge") or "default"
        mac = mac_address(_text(vif, "MAC"))
        if mac is None:
            mac = xen.derived_mac(seed, index)
            message = f"{objects.where}: NIC {index} has no MAC address, it gets {mac}"
            warnings.append(Finding("W-NIC-NO-MAC", message))
        yield Nic(mac, "netfront", Network(NetworkKind.network, called))


def _struct(record: Record, key: str) -> Record:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _text(record: Record, key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _number(record: Record, key: str, where: str) -> int:
    return xva_appliance.number(_text(record, key), key, where)
