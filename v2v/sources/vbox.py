# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of VirtualBox as their .vbox file describes them (settings versions 1.11 to 1.19).

Older ones name their disks in VirtualBox's own configuration only. Whether Secure Boot is on is in
the variables of the firmware, another file, which is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from v2v.errors import Finding, SourceError
from v2v.model import Display, Firmware, Hypervisor, Machine, Nic
from v2v.sources import config_file, xml
from v2v.sources.identity import name_from_file, uuid_text
from v2v.sources.vbox_devices import Settings, drives, nics

name = "vbox"
about = "a .vbox file, a VirtualBox guest"

_MIB = 1 << 20
SOUND = {"ac97": "ac97", "sb16": "sb16", "hda": "ich6"}


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is VirtualBox's XML."""
    return xml.root_name(head) == "VirtualBox"


def read(paths: Sequence[Path]) -> Machine:
    """Return the guest of one .vbox file. Raises SourceError."""
    (path,) = paths
    return parse(config_file.content(path), path)


def parse(data: bytes, path: Path) -> Machine:
    """Return the guest that a .vbox file describes; ``path`` says where it lies."""
    settings = Settings(str(path), _machine(data, path), path.parent, [])
    disks, removables = drives(settings)
    found = hardware(settings)
    return Machine(
        kind=name,
        hypervisor=Hypervisor.virtualbox,
        name=_name(settings, path),
        memory_bytes=_memory(settings),
        vcpus=settings.number("Hardware/{*}CPU", "count", 1),
        disks=disks,
        folder=path.parent,
        features=found.features,
        firmware=found.firmware,
        uuid=found.uuid,
        removables=removables,
        nics=found.nics,
        display=found.display,
        sound=found.sound,
        localtime=found.localtime,
        warnings=found.warnings,
    )


@dataclass(frozen=True, slots=True)
class Hardware:
    """What an OVF of VirtualBox has nowhere else than in such a description inside of it."""

    features: tuple[str, ...]
    firmware: Firmware
    uuid: str | None
    nics: tuple[Nic, ...]
    display: Display
    sound: str | None
    localtime: bool
    warnings: tuple[Finding, ...]


def hardware(settings: Settings) -> Hardware:
    """Return the hardware, but for CPUs, memory and drives. Raises SourceError."""
    return Hardware(
        features=("acpi", "apic", *(("pae",) if settings.on("Hardware/{*}CPU/{*}PAE") else ())),
        firmware=_firmware(settings),
        uuid=_uuid(settings),
        nics=nics(settings),
        display=Display("window"),
        sound=_sound(settings),
        # The clock runs in local time unless the file says UTC.
        localtime=settings.attribute("Hardware/{*}RTC", "localOrUTC") != "UTC",
        warnings=(*settings.warnings, *_saved(settings), *_left_behind(settings)),
    )


def _machine(data: bytes, path: Path) -> etree._Element:
    root = xml.parse(data, str(path))
    if etree.QName(root).localname != "VirtualBox":
        raise _no_machine(path, f"is <{etree.QName(root).localname}>, not <VirtualBox>")
    if root.find("{*}MachineEncrypted") is not None:
        raise SourceError(
            "E-VBOX-ENCRYPTED",
            f"{path}: the virtual machine is encrypted",
            hint="decrypt it in VirtualBox: VBoxManage encryptvm NAME removeencryption",
        )
    machine = root.find("{*}Machine")
    if machine is None:
        raise _no_machine(path, "has no <Machine>, it is VirtualBox's own configuration")
    return machine


def _no_machine(path: Path, fact: str) -> SourceError:
    return SourceError(
        "E-VBOX-SYNTAX", f"{path}: {fact}", hint="give the .vbox file in the machine's folder"
    )


def _name(settings: Settings, path: Path) -> str:
    return (settings.machine.get("name") or "").strip() or name_from_file(path)


def _memory(settings: Settings) -> int:
    # VirtualBox's own default: 128 MiB.
    return settings.number("Hardware/{*}Memory", "RAMSize", 128) * _MIB


def _firmware(settings: Settings) -> Firmware:
    """Return the firmware; EFI32, EFI64 and EFIDUAL are EFI, too."""
    given = settings.attribute("Hardware/{*}Firmware", "type") or "BIOS"
    if given not in ("BIOS", "EFI", "EFI32", "EFI64", "EFIDUAL"):
        message = f"{settings.where}: unknown firmware {given!r}, the disks will tell"
        settings.warnings.append(Finding("W-SOURCE-FIRMWARE", message))
        return Firmware.unknown
    return Firmware.bios if given == "BIOS" else Firmware.efi


def _uuid(settings: Settings) -> str | None:
    """Return what the guest's hardware tells: the machine's own UUID, unless it has another."""
    given = settings.attribute("Hardware", "uuid") or settings.machine.get("uuid")
    uuid = None if given is None else uuid_text(given)
    if given is not None and uuid is None:
        settings.warnings.append(Finding("W-SOURCE-UUID", f"{settings.where}: {given!r} is none"))
    return uuid


def _sound(settings: Settings) -> str | None:
    adapter = settings.machine.find("{*}Hardware/{*}AudioAdapter")
    if adapter is None or adapter.get("enabled") == "false":
        return None
    given = adapter.get("controller", "AC97")
    model = SOUND.get(given.lower())
    if model is None:
        message = f"{settings.where}: unknown sound card {given!r}, the guest will have none"
        settings.warnings.append(Finding("W-SOURCE-SOUND", message))
    return model


def _saved(settings: Settings) -> tuple[Finding, ...]:
    if not settings.machine.get("stateFile"):
        return ()
    message = f"{settings.where}: the guest was suspended, its saved memory is not carried over"
    hint = "start it once more in VirtualBox, shut it down, and copy it again"
    return (Finding("W-SOURCE-SAVED", message, hint),)


def _left_behind(settings: Settings) -> tuple[Finding, ...]:
    """Name the devices that the target has nothing for."""
    hardware = "{*}Hardware/"
    kept = {
        "serial ports": f"{hardware}{{*}}UART/{{*}}Port[@enabled='true']",
        "parallel ports": f"{hardware}{{*}}LPT/{{*}}Port[@enabled='true']",
        "shared folders": f"{hardware}{{*}}SharedFolders/{{*}}SharedFolder",
        "PCI devices of the host": f"{hardware}{{*}}HostPci/{{*}}Devices/{{*}}Device",
    }
    left = [what for what, path in kept.items() if settings.machine.find(path) is not None]
    tpm = settings.attribute("Hardware/{*}TrustedPlatformModule", "type")
    left += ["TPM"] if tpm not in (None, "None") else []
    if not left:
        return ()
    message = f"{settings.where}: not carried over: {', '.join(left)}"
    return (Finding("W-SOURCE-KEY", message, "add to the domain what the guest needs of this"),)
