# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of VMware as a VMX file (or a template's .vmtx) describes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from v2v.errors import Finding, SourceError
from v2v.model import Display, Firmware, Hypervisor, Machine, Topology
from v2v.sources import config_file, image_content, vmx_syntax
from v2v.sources.identity import name_from_file, uuid_text
from v2v.sources.vmx_devices import drives, is_absent, nics
from v2v.sources.vmx_notes import notes
from v2v.sources.vmx_syntax import Dictionary

name = "vmx"
about = "a VMX file, a VMware guest"

_MIB = 1024 * 1024
_DEFAULT_MEMORY = 32  # MiB, VMware's own default
_MOST_MEMORY, _MOST_VCPUS = 1 << 28, 1 << 14  # MiB; VMware ends at 24 TB and 960
_EVIDENCE = re.compile(
    r"""^[ \t]*(?:\.encoding|config\.version|virtualHW\.version|displayName|guestOS|memSize|numvcpus
        |(?:scsi|sata|ide|nvme)\d+(?::\d+)?\.\w+|ethernet\d+\.\w+)[ \t]*=""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
SOUND = {"sb16": "sb16", "es1371": "es1370", "hdaudio": "ich6"}
_UINT64 = 1 << 64
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is a VMX file."""
    if b"\0" in head or image_content.is_vmdk(head):
        return False
    text = config_file.decode(head)
    return not text.lstrip().startswith("<") and _EVIDENCE.search(text) is not None


def read(paths: Sequence[Path]) -> Machine:
    """Return the guest of one VMX file. Raises SourceError."""
    (path,) = paths
    return parse(config_file.content(path), path)


def parse(data: bytes, path: Path) -> Machine:
    """Return the guest that a VMX file describes; ``path`` says where it lies, it is not opened."""
    vmx, found = vmx_syntax.parse(data, str(path))
    _refuse_encrypted(vmx)
    _refuse_snapshots(vmx)
    warnings = list(found)
    vcpus = _positive(vmx, "numvcpus", 1, _MOST_VCPUS)
    disks, removables = drives(vmx, path.parent, warnings)
    return Machine(
        kind=name,
        hypervisor=Hypervisor.vmware,
        name=_name(vmx, path, warnings),
        memory_bytes=_positive(vmx, "memSize", _DEFAULT_MEMORY, _MOST_MEMORY) * _MIB,
        vcpus=vcpus,
        disks=tuple(disks.values()),
        folder=path.parent,
        topology=_topology(vmx, vcpus, warnings),
        firmware=_firmware(vmx, warnings),
        secure_boot=vmx.flag("uefi.secureBoot.enabled") is True,
        uuid=_uuid(vmx, warnings),
        genid=_genid(vmx),
        removables=removables,
        nics=nics(vmx, warnings),
        display=_display(vmx),
        sound=_sound(vmx, warnings),
        description=_description(vmx),
        os=vmx.text("guestOS"),
        tpm=vmx.flag("vtpm.present") is True,
        first_disk=_first_disk(vmx, tuple(disks)),
        localtime=False if vmx.text("rtc.diffFromUTC") == "0" else None,
        warnings=(*warnings, *notes(vmx)),
    )


def _refuse_encrypted(vmx: Dictionary) -> None:
    keys = ("encryption.keySafe", "encryption.data", "encryption.encryptedKey", "encryption.bundle")
    if any(vmx.text(key) for key in keys):
        raise SourceError(
            "E-VMX-ENCRYPTED",
            f"{vmx.where}: the virtual machine is encrypted",
            hint="remove its encryption (and its TPM) in VMware, then copy it again",
        )


def _refuse_snapshots(vmx: Dictionary) -> None:
    """A .vmsd has the syntax of a VMX file, too."""
    if {"snapshot.lastuid", "snapshot.numsnapshots"} <= vmx.values.keys():
        raise SourceError(
            "E-VMX-SYNTAX",
            f"{vmx.where}: is the list of a guest's snapshots, not a VMX file",
            hint="name the .vmx beside it",
        )


def _positive(vmx: Dictionary, key: str, default: int, most: int) -> int:
    number = vmx.number(key)
    if number is not None and not 0 < number <= most:
        vmx.refuse(key, f"{number} makes no sense")
    return default if number is None else number


def _name(vmx: Dictionary, path: Path, warnings: list[Finding]) -> str:
    given = vmx.text("displayName")
    if given is not None:
        return given
    made = name_from_file(path)
    message = f"{vmx.where}: no displayName is given, the file name makes it {made}"
    warnings.append(Finding("W-SOURCE-NAME", message))
    return made


def _first_disk(vmx: Dictionary, places: Sequence[str]) -> int | None:
    """Return which disk the BIOS is told to start; UEFI keeps that in its own memory."""
    order = (vmx.text("bios.hddOrder") or "").lower().split(",")
    there = [places.index(place.strip()) for place in order if place.strip() in places]
    return there[0] if there else None


def _description(vmx: Dictionary) -> str | None:
    """Return the annotation, in as far as XML can hold it."""
    given = vmx.text("annotation")
    return None if given is None else _NO_XML.sub(" ", given.replace("\r\n", "\n")).strip() or None


def _topology(vmx: Dictionary, vcpus: int, warnings: list[Finding]) -> Topology | None:
    cores = vmx.number("cpuid.coresPerSocket")
    if cores is None:
        return None
    if cores > 0 and vcpus % cores == 0:
        return Topology(vcpus // cores, cores, 1)
    message = f"{vmx.where}: {vcpus} vCPUs cannot be split into sockets of {cores} cores"
    warnings.append(Finding("W-SOURCE-TOPOLOGY", message))
    return None


def _firmware(vmx: Dictionary, warnings: list[Finding]) -> Firmware:
    given = (vmx.text("firmware") or "bios").lower()
    if given not in ("bios", "efi"):
        message = f"{vmx.where}: unknown firmware {given!r}, taken for bios"
        warnings.append(Finding("W-SOURCE-FIRMWARE", message))
    return Firmware.efi if given == "efi" else Firmware.bios


def _uuid(vmx: Dictionary, warnings: list[Finding]) -> str | None:
    """Return uuid.bios, whose 16 bytes are in the order that libvirt, too, takes them."""
    text = vmx.text("uuid.bios")
    uuid = None if text is None else uuid_text(text)
    if text is not None and uuid is None:
        warnings.append(Finding("W-SOURCE-UUID", f"{vmx.where}: uuid.bios {text!r} is none"))
    return uuid


def _genid(vmx: Dictionary) -> str | None:
    """Return the VM generation ID, which VMware keeps as two signed 64-bit numbers.

    The first number holds the first three groups in reverse order; the second is the rest with
    its bytes turned round.
    """
    first, second = vmx.number("vm.genid"), vmx.number("vm.genidX")
    if first is None or second is None:
        return None
    head = f"{first % _UINT64:016x}"
    tail = (second % _UINT64).to_bytes(8, "little").hex()
    return f"{head[8:16]}-{head[4:8]}-{head[0:4]}-{tail[:4]}-{tail[4:]}"


def _display(vmx: Dictionary) -> Display | None:
    if vmx.flag("RemoteDisplay.vnc.enabled"):
        port = vmx.number("RemoteDisplay.vnc.port")
        return Display(
            "vnc",
            listen=vmx.text("RemoteDisplay.vnc.ip"),
            port=port if port is not None and 0 < port < 1 << 16 else None,
            password=vmx.text("RemoteDisplay.vnc.password"),
            keymap=vmx.text("RemoteDisplay.vnc.keymap"),
        )
    return Display("window") if vmx.flag("svga.present") else None


def _sound(vmx: Dictionary, warnings: list[Finding]) -> str | None:
    given = vmx.text("sound.virtualDev")
    if given is None or is_absent(vmx, "sound"):
        return None
    model = SOUND.get(given.lower())
    if model is None:
        message = f"{vmx.where}: unknown sound card {given!r}, the guest will have none"
        warnings.append(Finding("W-SOURCE-SOUND", message))
    return model
