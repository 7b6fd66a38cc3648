# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests as libvirt's domain XML describes them (formatdomain), Xen's among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from v2v.errors import Finding, SourceError
from v2v.model import Boot, BootMethod, Firmware, Hypervisor, Machine, Topology
from v2v.sources import config_file, xml
from v2v.sources.identity import uuid_text
from v2v.sources.libvirt_devices import Domain, display, drives, nics, sound, unknown_devices
from v2v.sources.xen import GuestType, boot

name = "libvirt"
about = "libvirt domain XML (virsh dumpxml)"

_HYPERVISORS = {
    "xen": Hypervisor.xen,
    "vmware": Hypervisor.vmware,
    "kvm": Hypervisor.kvm,
    "qemu": Hypervisor.kvm,
    "hyperv": Hypervisor.hyperv,
    "vbox": Hypervisor.virtualbox,
    "parallels": Hypervisor.parallels,
}
_XEN_TYPES = {
    "linux": GuestType.pv,
    "xen": GuestType.pv,
    "xenpvh": GuestType.pvh,
    "hvm": GuestType.hvm,
}
_UNIT = re.compile(r"(?P<power>[kmgtpe])(?P<form>ib|b)?|b|bytes?", re.IGNORECASE)
_DEFAULT_MEMORY = 1 << 30
_MAX_MEMORY = 1 << 62
_READ = """name uuid genid memory currentMemory vcpu os features cpu clock devices bootloader
    bootloader_args"""
_UNNEEDED = """title description metadata resource seclabel on_poweroff on_reboot on_crash
    on_lockfailure pm perf cputune numatune memtune blkiotune memoryBacking vcpus iothreads
    iothreadids defaultiothread throttlegroups"""
"""What belongs to the host that the guest ran on."""

_VMWARE = "{http://libvirt.org/schemas/domain/vmware/1.0}"


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is a domain's XML."""
    return xml.root_name(head) == "domain"


def read(paths: Sequence[Path]) -> Machine:
    """Return the guest of one XML file. Raises SourceError."""
    (path,) = paths
    return parse(config_file.content(path), path)


def parse(data: bytes, path: Path) -> Machine:
    """Return the guest that domain XML describes; ``path`` says where it lies, it is not opened."""
    root = xml.parse(data, str(path))
    if root.tag != "domain":
        raise SourceError("E-LIBVIRT-ROOT", f"{path}: is not a <domain>, but <{root.tag}>")
    hypervisor = root.get("type") or _missing(path, "the type of <domain>")
    warnings: list[Finding] = []
    guest = _xen_type(root.findtext("os/type"), path) if hypervisor == "xen" else None
    domain = Domain(str(path), root, path.parent, guest, warnings)
    vcpus = _vcpus(domain)
    disks, removables = drives(domain)
    return Machine(
        kind=name,
        hypervisor=_HYPERVISORS.get(hypervisor, Hypervisor.unknown),
        name=domain.text("name") or _missing(path, "<name>"),
        memory_bytes=_memory(domain),
        vcpus=vcpus,
        disks=disks,
        folder=path.parent,
        topology=_topology(domain, vcpus),
        cpu_vendor=domain.text("cpu/vendor"),
        cpu_model=domain.text("cpu/model"),
        features=_features(domain),
        firmware=_firmware(domain),
        secure_boot=_secure_boot(domain),
        uuid=_uuid(domain, "uuid"),
        genid=_uuid(domain, "genid"),
        boot=_boot(domain),
        removables=removables,
        nics=nics(domain),
        display=display(domain),
        sound=sound(domain),
        localtime=_localtime(domain),
        warnings=(*warnings, *_left_behind(domain)),
    )


def _missing(path: Path, what: str) -> str:
    raise SourceError("E-LIBVIRT-MISSING", f"{path}: {what} is missing or empty")


def _xen_type(given: str | None, path: Path) -> GuestType:
    guest = _XEN_TYPES.get((given or "xen").strip())
    if guest is None:
        raise SourceError(
            "E-LIBVIRT-VALUE",
            f"{path}: os type {given!r} is none of Xen's",
            hint=f"libvirt's Xen driver knows {', '.join(_XEN_TYPES)}",
        )
    return guest


def _memory(domain: Domain) -> int:
    size, current = (_scaled(domain, key) for key in ("memory", "currentMemory"))
    if size is None:
        message = f"{domain.where}: no <memory> is given, the guest gets 1 GiB"
        domain.warn("W-SOURCE-MEMORY", message)
        return _DEFAULT_MEMORY
    if current is not None and current < size:
        message = f"{domain.where}: <currentMemory> is less than <memory>, which the guest gets"
        domain.warn("W-SOURCE-MEMORY", message)
    return size


def _scaled(domain: Domain, key: str) -> int | None:
    """Return bytes: KiB (KB with the letter B alone is 1000), where there is no unit KiB too."""
    text = domain.text(key)
    if text is None:
        return None
    unit = domain.attribute(key, "unit") or "KiB"
    found = _UNIT.fullmatch(unit)
    if found is None:
        domain.refuse(f"<{key}>: unknown unit {unit!r}")
    power = "kmgtpe".index(found["power"].lower()) + 1 if found["power"] else 0
    base = 1000 if (found["form"] or "").lower() == "b" else 1024
    size: int = domain.number(f"<{key}>", text) * base**power
    if not 0 < size < _MAX_MEMORY:
        domain.refuse(f"<{key}>: {text} {unit} makes no sense")
    return size


def _vcpus(domain: Domain) -> int:
    text = domain.text("vcpu")
    if text is None:
        topology = _given_topology(domain)
        return 1 if topology is None else topology.sockets * topology.cores * topology.threads
    count = domain.number("<vcpu>", text)
    if not 0 < count < 1 << 20:
        domain.refuse(f"<vcpu>: {count} makes no sense")
    current = domain.attribute("vcpu", "current")
    if current not in (None, text):
        message = f"{domain.where}: the guest gets all {count} vCPUs, not {current}"
        domain.warn("W-SOURCE-VCPUS", message)
    return count


def _given_topology(domain: Domain) -> Topology | None:
    """Return <topology>; dies and clusters, which not all targets know, count as cores."""
    element = domain.root.find("cpu/topology")
    if element is None:
        return None
    keys = ("sockets", "dies", "clusters", "cores", "threads")
    sockets, dies, clusters, cores, threads = (
        domain.number(f"<topology {key}>", element.get(key, "1")) for key in keys
    )
    if min(sockets, dies, clusters, cores, threads) == 0:
        domain.refuse("<topology>: 0 makes no sense")
    return Topology(sockets, dies * clusters * cores, threads)


def _topology(domain: Domain, vcpus: int) -> Topology | None:
    topology = _given_topology(domain)
    if topology is None or topology.sockets * topology.cores * topology.threads == vcpus:
        return topology
    message = f"{domain.where}: <topology> does not make {vcpus} vCPUs"
    domain.warn("W-SOURCE-TOPOLOGY", message)
    return None


def _features(domain: Domain) -> tuple[str, ...]:
    return tuple(
        element.tag
        for element in domain.root.iterfind("features/*")
        if element.get("state") != "off"
    )


def _firmware(domain: Domain) -> Firmware:
    """Return the firmware: what os/@firmware names, else what the loader is known to be."""
    given = domain.attribute("os", "firmware")
    if given is not None:
        return {"bios": Firmware.bios, "efi": Firmware.efi}.get(given, Firmware.unknown)
    loader = (domain.text("os/loader") or "").lower()
    if domain.attribute("os/loader", "type") == "pflash" or "ovmf" in loader:
        return Firmware.efi
    if "hvmloader" in loader or "seabios" in loader:
        return Firmware.bios
    return Firmware.unknown


def _secure_boot(domain: Domain) -> bool:
    feature = domain.attribute("os/firmware/feature[@name='secure-boot']", "enabled")
    return "yes" in (feature, domain.attribute("os/loader", "secure"))


def _uuid(domain: Domain, key: str) -> str | None:
    text = domain.text(key)
    uuid = None if text is None else uuid_text(text)
    if text is not None and uuid is None:
        domain.warn("W-SOURCE-UUID", f"{domain.where}: {key} {text!r} is none")
    return uuid


def _boot(domain: Domain) -> Boot | None:
    kernel, ramdisk, root, cmdline = (
        domain.text(f"os/{key}") for key in ("kernel", "initrd", "root", "cmdline")
    )
    arguments = " ".join(filter(None, (None if root is None else f"root={root}", cmdline)))
    if domain.xen is None:
        direct = Boot(BootMethod.direct, kernel, ramdisk, arguments or None)
        return None if kernel is None else direct
    found = boot(
        domain.xen,
        bootloader=domain.text("bootloader"),
        kernel=kernel,
        ramdisk=ramdisk,
        cmdline=arguments or None,
    )
    if found is None:
        message = f"{domain.where}: neither <kernel> nor <bootloader> is given"
        domain.warn("W-SOURCE-BOOT", message)
    return found


def _localtime(domain: Domain) -> bool | None:
    offset, basis = (domain.attribute("clock", key) for key in ("offset", "basis"))
    if offset == "variable":
        offset = basis or "utc"
    if offset in (None, "utc", "localtime"):
        return None if offset is None else offset == "localtime"
    domain.warn("W-SOURCE-CLOCK", f"{domain.where}: the clock's offset {offset!r} is unknown here")
    return None


def _left_behind(domain: Domain) -> tuple[Finding, ...]:
    known = {*_READ.split(), *_UNNEEDED.split()}
    left = {
        f"<{element.tag.rpartition('}')[2]}>"
        for element in domain.root
        if element.tag not in known and not element.tag.startswith(_VMWARE)
    }
    left |= unknown_devices(domain)
    if not left:
        return ()
    message = f"{domain.where}: not carried over: {', '.join(sorted(left))}"
    return (Finding("W-SOURCE-KEY", message, "add to the domain what the guest needs of this"),)
