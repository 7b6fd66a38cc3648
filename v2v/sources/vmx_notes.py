# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands in a VMX file and has no place in a Machine, or another meaning there: for people.

What is VMware's own business (shares, bridges, colours of windows) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2v.errors import Finding
from v2v.sources.vmx_devices import BUSES, is_absent
from v2v.sources.vmx_syntax import Dictionary

_GONE = ("serial", "parallel", "pciPassthru", "vusb", "sharedFolder")
_SETTINGS = {
    "mem.hotadd": "memory added while it runs",
    "vcpu.hotadd": "CPUs added while it runs",
    "vhv.enable": "virtual machines inside of it",
    "svga.use3dhardware": "3D graphics",
    "mks.enable3d": "3D graphics",
}
_USB = re.compile(r"usb:\d+\.", re.ASCII)
_HARMLESS_USB = re.compile("hub|hid|mouse|keyboard|tablet|default|video|bluetooth", re.IGNORECASE)


def notes(vmx: Dictionary) -> tuple[Finding, ...]:
    """Return what the user should know of the source."""
    left = ", ".join(dict.fromkeys(_left(vmx)))
    found = [*_disks(vmx)]
    if left:
        message = f"{vmx.where}: not carried over: {left}"
        hint = "add to the domain what the guest needs of this"
        found.append(Finding("W-SOURCE-KEY", message, hint))
    if vmx.flag("vtpm.present") is True:
        found.append(
            Finding(
                "W-SOURCE-TPM",
                f"{vmx.where}: what is in the guest's TPM stays behind, the new one is empty",
                "have the recovery keys of what it seals at hand, such as BitLocker's",
            )
        )
    state = vmx.text("checkpoint.vmState")
    if state is not None:
        found.append(
            Finding(
                "W-VMX-SUSPENDED",
                f"{vmx.where}: the guest is suspended; its memory ({state}) is not carried over",
                "resume it, shut it down, and convert it then; else it starts as after a crash",
            )
        )
    return tuple(found)


def _left(vmx: Dictionary) -> Iterator[str]:
    """Yield devices and features that the target has nothing for."""
    for kind in _GONE:
        for device in (*vmx.numbers_of(kind.lower()), kind.lower()):
            if vmx.flag(f"{device}.present") and vmx.text(f"{device}.fileType") != "thinprint":
                yield _device(vmx, device, kind)
    plugged = dict.fromkeys(key.partition(".")[0] for key in vmx.values if _USB.match(key))
    for device in plugged:
        what = vmx.text(f"{device}.deviceType") or ""
        if vmx.flag(f"{device}.present") and not _HARMLESS_USB.search(what):
            yield f"{device} ({what or 'a device of its host'})"
    yield from (what for key, what in _SETTINGS.items() if vmx.flag(key))
    screens = vmx.text("svga.numDisplays") or "1"
    if screens != "1":
        yield f"{screens} screens"
    order = (vmx.text("bios.bootOrder") or "").lower().split(",")
    if order[0].strip() in ("cdrom", "ethernet0", "ethernet", "floppy"):
        yield f"to start from {order[0].strip()} first (it starts from its disk)"
    given = sum(key.startswith("guestinfo.") for key in vmx.values)
    if given:
        yield f"{given} values of guestinfo, which VMware's backdoor hands to the guest"


def _device(vmx: Dictionary, device: str, kind: str) -> str:
    """Return a device's name, with what it was connected to."""
    name = f"{kind}{device.removeprefix(kind.lower())}"
    keys = ("vgpu", "fileName", "hostPath", "id")
    connected = next(filter(None, (vmx.text(f"{device}.{key}") for key in keys)), None)
    return name if connected is None else f"{name} ({connected})"


def _disks(vmx: Dictionary) -> Iterator[Finding]:
    for kind in BUSES:
        for device in vmx.numbers_of(kind):
            controller, colon, _ = device.partition(":")
            if not colon or is_absent(vmx, device) or is_absent(vmx, controller):
                continue
            bus = (vmx.text(f"{controller}.sharedBus") or "none").lower()
            sharing = (vmx.text(f"{device}.sharing") or "none").lower()
            if vmx.text(f"{device}.fileName") and (bus, sharing) != ("none", "none"):
                yield Finding(
                    "W-VMX-SHARED-DISK",
                    f"{vmx.where}: {device} is shared with other guests; this one gets a copy",
                    "convert a cluster's disks once, and share the copy by hand",
                )
            if (vmx.text(f"{device}.mode") or "").lower().endswith("nonpersistent"):
                yield Finding(
                    "W-VMX-NONPERSISTENT",
                    f"{vmx.where}: {device} forgets at each power-off what was written to it;"
                    " the target will not",
                    "add <transient/> to the disk in the domain, if that is wanted",
                )
