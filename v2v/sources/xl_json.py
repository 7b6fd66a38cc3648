# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of Xen as ``xl list -l`` prints them: libxl's own view, in JSON.

Names are those of libxl_types.idl. What they say is told in xl's words, and read as an xl.cfg is.
Options of one kind of guest are in ``type.hvm`` and the like; older versions had kernel and boot
loader in there too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from v2v.errors import SourceError
from v2v.model import Machine
from v2v.sources import config_file, xl
from v2v.sources.identity import only_guest
from v2v.sources.xl_syntax import Config, Setting, Value

name = "xl-json"
about = "what xl list -l prints, a Xen guest"

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Object: TypeAlias = "Mapping[str, Json]"

_DOMAINS = re.compile(r'\s*(?:\[\s*)?\{(?s:.{0,4096}?)"c_info"\s*:')
_INFO = {  # of b_info and of its part for the type of guest, in xl's words
    "kernel": "kernel", "ramdisk": "ramdisk", "cmdline": "cmdline", "bootloader": "bootloader",
    "firmware": "firmware", "bios": "bios", "bios_path_override": "bios_path_override",
    "system_firmware": "bios_path_override", "localtime": "localtime", "acpi": "acpi",
    "apic": "apic", "pae": "pae", "viridian": "viridian", "boot": "boot", "hdtype": "hdtype",
    "soundhw": "soundhw", "keymap": "keymap",
}  # fmt: skip
_IF_SET = {"rtc_timeoffset": "rtc_timeoffset", "nested_hvm": "nestedhvm"}
"""What is worth telling of only where it is not the default, which libxl prints as well."""

# Libxl's names of values where xl.cfg has others.
_VALUES = {"True": "1", "False": "0", "unknown": ""}
_FORMATS = {"unknown": "raw", "": "raw"}
_HOST_WORDS = (
    "sched_params numa_placement tsc_mode max_vcpus avail_vcpus max_memkb target_memkb video_memkb "
    "shadow_memkb iommu_memkb exec_ssidref exec_ssid_label device_model_version "
    "device_model_stubdomain device_model device_model_ssidref device_model_user extra extra_pv "
    "extra_hvm claim_mode event_channels blkdev_start vnuma_nodes disable_migrate cpumap nodemap "
    "vcpu_hard_affinity vcpu_soft_affinity max_grant_frames max_maptrack_frames max_grant_version "
    "bootloader_args timer_mode vga vnc sdl spice hpet vpt_align mmio_hole_memkb nx smm "
    "xen_platform_pci usbdevice_list vendor_device arch_arm arch_x86 altp2m ms_vm_genid acpi_s3 "
    "acpi_s4 acpi_laptop_slate nographic serial serial_list cpuid usb usbversion gfx_passthru "
    "tee vmtrace_buf_kb dm_restrict apic_mode stubdomain_memkb stubdomain_kernel "
    "stubdomain_cmdline stubdomain_ramdisk pvh pvshim viridian_enable viridian_disable"
)
_HOST = frozenset(_HOST_WORDS.split())


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is libxl's JSON of guests."""
    return b"\0" not in head and _DOMAINS.match(config_file.decode(head)) is not None


def read(paths: Sequence[Path], system: str | None = None) -> Machine:
    """Return the guest of one file, by name where there are several. Raises SourceError."""
    (path,) = paths
    return parse(config_file.decode(config_file.content(path)), path, system)


def parse(text: str, path: Path, system: str | None = None) -> Machine:
    """Return the guest that a text describes; ``path`` says where it lies. Raises SourceError."""
    try:
        listed: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError("E-XL-JSON", f"{path}: no JSON: {error}") from error
    domains = [
        _object(domain.get("config", domain))
        for domain in (listed if isinstance(listed, list) else [listed])
        if isinstance(domain, dict)
    ]
    named = [(_name(domain), domain) for domain in domains]
    guests = [(called, domain) for called, domain in named if called not in ("", "Domain-0")]
    guest = only_guest(guests, str(path), system)
    return xl.machine(_config(guest, str(path)), path, name)


def _name(domain: Object) -> str:
    return _text(_object(domain.get("c_info")), "name")


def _object(value: Json) -> Object:
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> tuple[Object, ...]:
    return tuple(map(_object, value)) if isinstance(value, list) else ()


def _text(values: Object, key: str) -> str:
    """Return a value as xl.cfg has it; libxl writes truth as "True" and "False"."""
    value = values.get(key)
    if isinstance(value, bool):
        return str(int(value))
    if value is None or isinstance(value, list | dict):
        return ""
    return _VALUES.get(str(value), str(value))


def _config(domain: Object, where: str) -> Config:
    created, built = (_object(domain.get(key)) for key in ("c_info", "b_info"))
    kind = _text(created, "type") or "pv"
    own = _object(built.get(f"type.{kind}")) or _object(_object(built.get("u")).get(kind))
    settings: dict[str, Value] = {"type": kind, "name": _text(created, "name")}
    settings["uuid"] = _text(created, "uuid")
    # Of memory=, libxl takes away what the graphics card has.
    memory = _number(built, "target_memkb") + _number(built, "video_memkb")
    settings["memory"] = str((memory or _number(built, "max_memkb")) // 1024)
    vcpus = built.get("avail_vcpus")
    settings["vcpus"] = str(len(vcpus) if isinstance(vcpus, list) and vcpus else _vcpus(built))
    for info in (built, own):
        for key in info:
            if key in _INFO:
                settings[_INFO[key]] = _text(info, key)
            elif key in _IF_SET:
                told = _text(info, key)
                settings[_IF_SET[key]] = "" if told in ("0", "<default>") else told
            elif not (key in _HOST or key.startswith("type.") or key in ("type", "u")):
                settings[key] = _text(info, key)
    settings |= _screen(own)
    settings["disk"] = tuple(map(_disk, _objects(domain.get("disks"))))
    settings["vif"] = tuple(map(_nic, _objects(domain.get("nics"))))
    framebuffers = tuple(_pairs(dict(_vnc(each))) for each in _objects(domain.get("vfbs")))
    if framebuffers and kind != "hvm":
        settings["vfb"] = framebuffers
    for devices in ("pcidevs", "usbdevs", "dtdevs", "rdms", "p9", "pvcallsifs", "vtpms"):
        if domain.get(devices):
            settings[devices] = str(len(_objects(domain[devices])))
    kept = {key: Setting(value, 1) for key, value in settings.items() if value != ""}
    return Config(where, kept, ())


def _number(values: Object, key: str) -> int:
    """Return a number, 0 for none."""
    number = values.get(key)
    return number if isinstance(number, int) and number > 0 else 0


def _vcpus(built: Object) -> int:
    return _number(built, "max_vcpus") or 1


def _screen(own: Object) -> dict[str, Value]:
    """Return the screen of an HVM guest."""
    found: dict[str, Value] = dict(_vnc(own))
    spice = _object(own.get("spice"))
    if _text(spice, "enable") == "1":
        found["spice"] = "1"
        for key in ("host", "port", "passwd"):
            found[f"spice{key}"] = _text(spice, key)
    return found


def _vnc(values: Object) -> Iterator[tuple[str, str]]:
    vnc, sdl = (_object(values.get(key)) for key in ("vnc", "sdl"))
    names = {"enable": "vnc", "listen": "vnclisten", "passwd": "vncpasswd",
             "display": "vncdisplay", "findunused": "vncunused"}  # fmt: skip
    for key, word in names.items():
        if _text(vnc, key):
            yield word, _text(vnc, key)
    if _text(sdl, "enable"):
        yield "sdl", _text(sdl, "enable")


def _disk(disk: Object) -> str:
    """Return a disk in the words of xl-disk-configuration(5); the target comes last."""
    kind, cdrom = _text(disk, "format"), _text(disk, "is_cdrom") == "1"
    pairs = {
        "format": "empty" if kind == "empty" and cdrom else _FORMATS.get(kind, kind),
        "vdev": _text(disk, "vdev"),
        "access": "rw" if _text(disk, "readwrite") == "1" else "ro",
        "devtype": "cdrom" if cdrom else "",
        "backend": _text(disk, "backend_domname"),
        "script": _text(disk, "script"),
        "backendtype": "phy" if _text(disk, "backend") == "phy" else "",
        "target": _text(disk, "pdev_path"),
    }
    return _pairs(pairs)


def _nic(nic: Object) -> str:
    script = PurePosixPath(_text(nic, "script")).name
    kind = {"vif": "vif", "vif_ioemu": "ioemu"}.get(_text(nic, "nictype"), "")
    pairs = {"mac": _text(nic, "mac"), "bridge": _text(nic, "bridge"), "script": script}
    return _pairs({**pairs, "model": _text(nic, "model"), "type": kind})


def _pairs(values: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in values.items() if value)
