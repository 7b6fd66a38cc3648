# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading a libvirt domain XML (formatdomain.html) into Hardware.

libvirt's own rules fill what the XML leaves out: a disk's bus follows from its target's name, a
missing driver type means raw, the first console is the serial port, the boot order of ``<os>``
stands for the first device of its kind. What no boot depends on is not read: sound, input,
graphics, tuning. The emulator that the XML names is never run.
"""

from __future__ import annotations

import re
from pathlib import Path

from v2v.errors import ProofError
from v2v.model import Topology
from v2v.proof import devices
from v2v.proof.domxml import Element, attribute, choice, number, read_file, text
from v2v.proof.hardware import Cpu, DirectBoot, Hardware, Uefi

_UNITS = {
    "b": 1,
    "bytes": 1,
    **{f"{prefix}b": int(1000**power) for power, prefix in enumerate("kmgt", 1)},
    **{f"{prefix}ib": int(1024**power) for power, prefix in enumerate("kmgt", 1)},
    **{prefix: int(1024**power) for power, prefix in enumerate("kmgt", 1)},
}
_CPU_WORD = re.compile(r"[A-Za-z0-9._-]+")
_POLICIES = {"force": "+", "require": "+", "optional": "", "disable": "-", "forbid": "-"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


def read(path: Path) -> Hardware:
    """Return the hardware of a domain XML, whose files are all there. Raises ProofError."""
    hardware = described(read_file(path), path.absolute().parent)
    _require_files(hardware)
    return hardware


def described(root: Element, folder: Path) -> Hardware:
    """Return the hardware of a domain; names of files are relative to ``folder``.

    Raises ProofError.
    """
    choice(root.get("type", ""), {"kvm": True, "qemu": True}, "domain type")
    choice(text(root, "os/type") or "hvm", {"hvm": True}, "os type")
    choice(attribute(root, "os/type", "arch") or "x86_64", {"x86_64": 1, "i686": 1}, "architecture")
    found = root.find("devices")
    listed = root.makeelement("devices") if found is None else found
    boot_order = tuple(one.get("dev", "") for one in root.findall("os/boot"))
    drives = devices.drives(listed, folder, boot_order)
    serials, virtio_consoles = devices.consoles(listed)
    return Hardware(
        name=text(root, "name") or "guest",
        q35=_is_q35(root),
        memory_kib=_memory_kib(root),
        vcpus=_vcpus(root),
        cpu=_cpu(root),
        topology=_topology(root),
        acpi=root.find("features/acpi") is not None,
        vmport=attribute(root, "features/vmport", "state") != "off",
        hpet=not root.xpath("clock/timer[@name='hpet' and @present='no']"),
        localtime=attribute(root, "clock", "offset") == "localtime",
        uuid=_uuid(root),
        bios=_bios(root, folder),
        uefi=_uefi(root, folder),
        kernel=_kernel(root, folder),
        drives=drives,
        cards=devices.cards(listed),
        scsi=devices.scsi_controllers(listed, drives),
        video=devices.video(listed),
        serials=serials,
        channels=devices.channels(listed),
        virtio_consoles=virtio_consoles,
        agent=devices.has_agent(listed),
        balloon=devices.balloon(listed),
        rng=devices.single(listed, "rng"),
        usb=devices.usb(listed),
        panic=attribute(listed, "panic", "model") in ("isa", "pvpanic"),
        warnings=tuple(devices.left_out(root, listed)),
    )


def _is_q35(root: Element) -> bool:
    machine = attribute(root, "os/type", "machine") or "pc"
    # Versioned names are taken for their kind: the host that wrote them may have another QEMU.
    kind = re.sub(r"^pc-(q35|i440fx)-.*", r"\1", machine)
    return choice(kind, {"pc": False, "i440fx": False, "q35": True}, "machine type")


def _memory_kib(root: Element) -> int:
    amount = number(text(root, "memory") or "0", "memory")
    unit = (attribute(root, "memory", "unit") or "KiB").lower()
    kib = amount * choice(unit, _UNITS, "memory unit") // 1024
    if kib == 0:
        raise ProofError("E-PROOF-DOMAIN", "memory: the XML gives the guest none")
    return kib


def _vcpus(root: Element) -> int:
    current = attribute(root, "vcpu", "current") or text(root, "vcpu") or "1"
    return max(number(current, "vcpu"), 1)


def _topology(root: Element) -> Topology | None:
    found = root.find("cpu/topology")
    if found is None or root.find("vcpu[@current]") is not None:
        return None
    sockets, dies, cores, threads = (
        number(found.get(name, "1"), f"topology {name}")
        for name in ("sockets", "dies", "cores", "threads")
    )
    return Topology(sockets * dies, cores, threads)


def _cpu(root: Element) -> Cpu:
    model = text(root, "cpu/model")
    mode = attribute(root, "cpu", "mode") or ("custom" if model else "default")
    if mode in ("host-model", "host-passthrough", "maximum"):
        name = None
    else:
        name = choice(mode, {"custom": model or "qemu64", "default": "qemu64"}, "cpu mode")
    features = tuple(
        choice(one.get("policy", "require"), _POLICIES, "cpu feature") + one.get("name", "")
        for one in root.findall("cpu/feature")
        if one.get("policy") != "optional"
    )
    for word in (name or "max", *(feature[1:] for feature in features)):
        if not _CPU_WORD.fullmatch(word):
            raise ProofError("E-PROOF-DOMAIN", f"cpu: bad name: {word!r}")
    return Cpu(name, features)


def _uuid(root: Element) -> str | None:
    found = text(root, "uuid")
    if found and not _UUID.fullmatch(found):
        raise ProofError("E-PROOF-DOMAIN", f"uuid: not a UUID: {found!r}")
    return found or None


def _bios(root: Element, folder: Path) -> Path | None:
    loader = text(root, "os/loader")
    if not loader or attribute(root, "os/loader", "type") == "pflash":
        return None
    return folder / loader


def _uefi(root: Element, folder: Path) -> Uefi | None:
    loader = text(root, "os/loader")
    flash = attribute(root, "os/loader", "type") == "pflash"
    if attribute(root, "os", "firmware") != "efi" and not (loader and flash):
        return None
    features = {one.get("name"): one.get("enabled") for one in root.findall("os/firmware/feature")}
    secure = "yes" in (features.get("secure-boot"), attribute(root, "os/loader", "secure"))
    # The guest's own variables exist only once libvirt has started it.
    own, template = text(root, "os/nvram"), attribute(root, "os/nvram", "template")
    variables = next(
        (folder / name for name in (own, template) if name and _is(folder, name)), None
    )
    return Uefi(
        secure,
        enrolled=secure and features.get("enrolled-keys") != "no",
        code=folder / loader if loader and flash else None,
        variables=variables,
    )


def _is(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _kernel(root: Element, folder: Path) -> DirectBoot | None:
    kernel, initrd = text(root, "os/kernel"), text(root, "os/initrd")
    if not kernel:
        return None
    return DirectBoot(
        folder / kernel,
        folder / initrd if initrd else None,
        text(root, "os/cmdline") or "",
    )


def _require_files(hardware: Hardware) -> None:
    devices.require_media(hardware.drives)
    kernel, uefi = hardware.kernel, hardware.uefi
    files = (
        ("loader", hardware.bios),
        ("loader", uefi.code if uefi else None),
        ("kernel", kernel.kernel if kernel else None),
        ("initrd", kernel.initrd if kernel else None),
    )
    for what, path in files:
        if path is not None and not path.is_file():
            raise ProofError("E-PROOF-FILE", f"{what} {path}: no such file")
