# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests as an OVF describes them: DSP0243 1.x and 2.x and VMware's 0.9, of any hypervisor.

The parser takes text; where the files of the package are is found out by v2v/sources/ova.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from v2v.errors import Finding, SourceError
from v2v.model import Machine, Topology
from v2v.sources import config_file, ova_files, ovf_vendors, xml
from v2v.sources.identity import name_from_file, only_guest
from v2v.sources.ovf_devices import drives, nics
from v2v.sources.ovf_disks import File
from v2v.sources.ovf_items import CPU, MEMORY, Item, System, system_of
from v2v.sources.ovf_xml import attribute, child, is_a, local, localised, number, text, unit

name = "ovf"
about = "an OVF file, an exported guest with its disks beside it"

_GENERIC_IDS = ("vm", "out", "")  # what ovftool and oVirt write where there is no name
_DEFAULT_MEMORY = 2 << 30
_MAX_MEMORY = 1 << 50
_MAX_VCPUS = 1 << 16


@dataclass(frozen=True, slots=True)
class Described:
    """A guest, and the files of its disks, one for each; None is a blank disk."""

    machine: Machine
    files: tuple[File | None, ...]


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is an OVF."""
    root = xml.root_name(head)
    return root is not None and root.rpartition(":")[2] == "Envelope"


def read(paths: Sequence[Path], system: str | None = None) -> Machine:
    """Return the guest of an OVF, by name where there are several. Raises SourceError."""
    (path,) = paths
    data = config_file.content(path)
    described = parse(data, path, system)
    return ova_files.in_folder(path, data, described.machine, described.files)


def parse(data: bytes, path: Path, system: str | None = None) -> Described:
    """Return the guest that an OVF describes; its files are below ``path``'s folder.

    Raises SourceError.
    """
    where = str(path)
    root = xml.parse(data, where)
    if local(root.tag) != "Envelope":
        raise SourceError(
            "E-OVF-SYNTAX",
            f"{where}: is <{local(root.tag)}>, not <Envelope>",
            hint="give the .ovf file of the export",
        )
    return _described(system_of(root, _chosen(root, where, system), where), path)


def _chosen(root: etree._Element, where: str, wanted: str | None) -> etree._Element:
    """Return a <VirtualSystem> by name or identifier, wherever collections have it."""
    found = [element for element in root.iter() if is_a(element, "VirtualSystem")]
    named = [(_own_name(root, element) or "", element) for element in found]
    if wanted is not None and wanted not in {name for name, _ in named}:
        named = [(attribute(element, "id") or "", element) for element in found]
    return only_guest(named, where, wanted)


def _own_name(root: etree._Element, element: etree._Element) -> str | None:
    """Return a system's name: its <Name>, else what it is identified by."""
    given = child(element, "Name")
    name = None if given is None else localised(root, given)
    if name is not None:
        return name
    hardware = child(element, "VirtualHardwareSection")
    vssd = None if hardware is None else child(hardware, "System")
    identifier = None if vssd is None else text(vssd, "VirtualSystemIdentifier")
    return next(
        (
            each
            for each in (identifier, attribute(element, "id"))
            if each not in (None, *_GENERIC_IDS)
        ),
        None,
    )


def _described(system: System, path: Path) -> Described:
    hypervisor = ovf_vendors.hypervisor(system)
    found, removables = drives(system, hypervisor, path.parent)
    chosen = ovf_vendors.firmware(system)
    cpus = next(system.of(CPU), None)
    vcpus = _vcpus(system, cpus)
    machine = Machine(
        kind=name,
        hypervisor=hypervisor,
        name=_name(system, path),
        memory_bytes=_memory(system),
        vcpus=vcpus,
        disks=tuple(drive.disk for drive in found),
        folder=path.parent,
        topology=_topology(system, cpus, vcpus),
        firmware=chosen.firmware,
        secure_boot=chosen.secure_boot,
        uuid=ovf_vendors.uuid(system, hypervisor),
        boot=ovf_vendors.boot(system, hypervisor),
        removables=removables,
        nics=nics(system, hypervisor),
        display=ovf_vendors.display(system),
        sound=ovf_vendors.sound(system),
        warnings=(*system.warnings, *ovf_vendors.left_behind(system)),
    )
    return Described(
        ovf_vendors.with_virtualbox(system, machine, path),
        tuple(drive.entry.file for drive in found),
    )


def _name(system: System, path: Path) -> str:
    given = _own_name(system.root, system.element)
    if given is not None:
        return given
    made = name_from_file(path)
    message = f"{system.where}: no name is given, the file name makes it {made}"
    system.warnings.append(Finding("W-SOURCE-NAME", message))
    return made


def _memory(system: System) -> int:
    """Return the memory in bytes; without units they are MiB, as all exporters mean them."""
    item = next(system.of(MEMORY), None)
    given = None if item is None else item.fields.get("VirtualQuantity")
    if item is None or given is None:
        message = f"{system.where}: no memory is given, the guest gets 2 GiB"
        system.warnings.append(Finding("W-OVF-HARDWARE", message))
        return _DEFAULT_MEMORY
    units = item.fields.get("AllocationUnits") or item.fields.get("VirtualQuantityUnits")
    quantity, factor = number(given), unit(units or "MB")
    if quantity is None or factor is None or not 0 < quantity * factor < _MAX_MEMORY:
        system.refuse(f"a memory of {given} * {units or 'MB'!r} makes no sense")
    return quantity * factor


def _vcpus(system: System, item: Item | None) -> int:
    given = None if item is None else item.fields.get("VirtualQuantity")
    if item is None or given is None:
        message = f"{system.where}: no number of CPUs is given, the guest gets 1"
        system.warnings.append(Finding("W-OVF-HARDWARE", message))
        return 1
    count = number(given)
    if count is None or not 0 < count < _MAX_VCPUS:
        system.refuse(f"{given!r} CPUs make no sense")
    return count


def _topology(system: System, item: Item | None, vcpus: int) -> Topology | None:
    """Return sockets, cores and threads, as VMware or oVirt note them."""
    if item is None:
        return None
    cores = item.fields.get("CoresPerSocket")
    threads = item.number("threads_per_cpu") or 1
    if cores is None:
        cores = item.fields.get("cpu_per_socket")
    if cores is None:
        return None
    count = number(cores)
    if count and vcpus % (count * threads) == 0:
        return Topology(vcpus // (count * threads), count, threads)
    message = f"{system.where}: {vcpus} vCPUs cannot be split into sockets of {cores} cores"
    system.warnings.append(Finding("W-SOURCE-TOPOLOGY", message))
    return None
