# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disk specifications of xl-disk-configuration(5): positional, by key, and xend's old forms.

``TARGET, FORMAT, VDEV, ACCESS`` in this order, each of them also as ``key=value``; ``target=`` eats
the rest of the line, commas and all. xend's form is ``PREFIX:TARGET,VDEV[:cdrom|:disk],MODE``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Never

from v2v.errors import SourceError
from v2v.model import DiskFormat
from v2v.sources.xen import VDEV, named

_FORMATS: dict[str, DiskFormat | None] = {
    "": DiskFormat.raw,
    "raw": DiskFormat.raw,
    "aio": DiskFormat.raw,
    "qcow": DiskFormat.qcow,
    "qcow2": DiskFormat.qcow2,
    "vhd": DiskFormat.vpc,
    "qed": DiskFormat.qed,
    "empty": None,  # a CD-ROM drive without a disc
}
_READ_ONLY = {"r": True, "ro": True, "rw": False, "w": False, "w!": False, "": False}
_PREFIX = re.compile(
    r"(raw|qcow2?|vhd|iscsi|e?nbd|drbd|tapdisk|tap2?|aio|ioemu|file|phy):", re.ASCII
)
_UNKNOWN_PREFIX = re.compile(r"[a-z][a-z0-9]*:(?=[^a-z0-9]|\Z)", re.ASCII)
_FLAGS = frozenset(("direct-io-safe", "discard", "no-discard", "no-colo", "colo"))
_HOST_KEY = re.compile(
    "backendtype|specification|transport|grant_usage|trusted|colo-(?:host|port|export)"
    "|(?:active|hidden)-disk"
)
"""Parameters of the host's side, which do not change what the guest sees."""


@dataclass(frozen=True, slots=True)
class XlDisk:
    """One disk or CD-ROM drive of an xl.cfg."""

    target: str  # empty for a drive without a disc
    format: DiskFormat | None
    vdev: str
    cdrom: bool
    read_only: bool
    backend: str | None  # a driver domain that holds the image, if it is not dom0
    script: str | None  # a program that makes the disk out of what target says
    virtio: bool


class _Spec:
    """What was read so far. Each parameter may be given once, empty values may be replaced."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.values: dict[str, str] = {}
        self.prefixed = False  # an old prefix was there: FORMAT has no position then
        self.device = False  # phy: was there, or backendtype=phy

    def refuse(self, what: str) -> Never:
        raise SourceError(
            "E-XL-DISK",
            f"{self.where}: {what}",
            hint="see xl-disk-configuration(5); target=... must come last",
        )

    def set(self, key: str, value: str) -> None:
        if self.values.get(key) not in (None, "", value):
            self.refuse(f"{key} is given twice")
        self.values[key] = value

    def position(self, value: str) -> None:
        if "target" not in self.values:
            self.values["target"] = value
        elif "format" not in self.values and not self.prefixed:
            if self.values["target"] == "" and ":" in value:  # xend's empty drive: ,hdc:cdrom,r
                self.values["format"] = "empty"
                self.vdev(value)
            else:
                self.values["format"] = value
        elif "vdev" not in self.values:
            self.vdev(value)
        elif "access" not in self.values:
            self.values["access"] = value
        else:
            self.refuse(f"{value!r} is one parameter too many")

    def vdev(self, value: str) -> None:
        value, _, devtype = value.partition(":")
        self.set("vdev", value)
        if devtype:
            self.set("devtype", devtype)

    def parameter(self, text: str) -> None:
        key, equals, value = text.partition("=")
        if text == "cdrom":
            self.set("devtype", "cdrom")
        elif text in _FLAGS:
            return
        elif not equals:
            self.position(text)
        elif key in ("format", "vdev", "access", "devtype", "backend", "script"):
            self.set(key, value.strip())
        elif _HOST_KEY.fullmatch(key):
            self.values[key] = value.strip()
        else:
            self.refuse(f"unknown parameter {key!r}")

    def prefix(self, name: str) -> None:
        self.prefixed = True
        self.device |= name == "phy"
        if name in ("raw", "qcow", "qcow2", "vhd"):
            self.set("format", name)
        elif name in ("iscsi", "nbd", "enbd", "drbd"):
            self.set("script", f"block-{name}")


def parse(text: str, where: str) -> XlDisk:
    """Return what one string of ``disk = [ ... ]`` says. ``where`` names it in errors."""
    spec = _Spec(where)
    rest = text.lstrip()
    while rest:
        if rest.startswith("target="):
            spec.set("target", rest.removeprefix("target=").removesuffix(","))
            break
        if found := _PREFIX.match(rest):
            spec.prefix(found[1])
            rest = rest[found.end() :]
        elif _UNKNOWN_PREFIX.match(rest):
            spec.refuse(f"unknown prefix {rest.split(':')[0]!r}")
        else:
            parameter, _, rest = rest.partition(",")
            spec.parameter(parameter.strip())
            rest = rest.lstrip()
    return _disk(spec)


def _disk(spec: _Spec) -> XlDisk:
    values = spec.values
    kind, access, devtype = (values.get(key, "") for key in ("format", "access", "devtype"))
    if kind not in _FORMATS:
        spec.refuse(f"unknown format {kind!r}")
    if access not in _READ_ONLY:
        spec.refuse(f"unknown access {access!r}")
    if devtype not in ("", "disk", "cdrom"):
        spec.refuse(f"unknown devtype {devtype!r}")
    vdev = values.get("vdev", "").removeprefix("/dev/").removeprefix("ioemu:")
    if VDEV.fullmatch(vdev) is None:
        spec.refuse(f"{vdev!r} is not a virtual device" if vdev else "no vdev is given")
    cdrom = devtype == "cdrom"
    target = values.get("target", "").strip()
    if not cdrom and (not target or kind == "empty"):
        spec.refuse(f"{vdev}: no target is given")
    if target and not target.startswith("/"):
        device = spec.device or values.get("backendtype") == "phy"
        target = f"/dev/{target}" if device else target
    return XlDisk(
        target=target,
        format=_FORMATS[kind],
        vdev=named(vdev),
        cdrom=cdrom,
        read_only=_READ_ONLY[access],
        backend=values.get("backend") or None,
        script=values.get("script") or None,
        virtio=values.get("specification") == "virtio",
    )
