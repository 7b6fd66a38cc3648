# SPDX-License-Identifier: LGPL-2.1-or-later
"""Binds names to the MACs of network cards, by what the guest has for it.

.link files name cards on their own since udev 220, when Debian dropped its rule generator. A rule
does so for every udev since 98 (ATTR was SYSFS before) and for eudev, which knows no .link files:
so it is the answer where no version is known. Without udev, mdev runs nameif, if it is told to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from converters.linux.conversion import Conversion
from v2v.changes import Draft

_LINK_FILES = 220
_ATTRIBUTES = 98
_PREDICTABLE = 197  # names by slot, NEWS of systemd 197
_RULES = "/etc/udev/rules.d/70-persistent-net.rules"
_TABLE = "/etc/mactab"  # nameif(8)
_MDEV = "/etc/mdev.conf"
_WHY = "the network card keeps the name that the guest's configuration has for it"
_COMMENT = "# Names that network cards had before v2v converted the guest to KVM.\n"
_UNNAMED = re.compile(r"\bnet\.ifnames=0\b")


def has_udev(draft: Draft, conversion: Conversion) -> bool:
    """Tell whether there is a udev: every one of them has its rules in /etc/udev."""
    return conversion.udev > 0 or draft.exists("/etc/udev")


def is_predictable(draft: Draft, conversion: Conversion) -> bool:
    """Tell whether cards get names by their slots: not so without udev or with net.ifnames=0."""
    if not has_udev(draft, conversion) or 0 < conversion.udev < _PREDICTABLE:
        return False
    told = ("/etc/default/grub", "/etc/kernel/cmdline", conversion.guest.bootloader_config)
    return not any(
        path is not None and draft.is_file(path) and _UNNAMED.search(draft.text(path))
        for path in told
    )


def pin(draft: Draft, conversion: Conversion, names: Mapping[int, str]) -> dict[str, str]:
    """Draft what gives the cards their names; return the names that cannot be, with the reason."""
    nics = conversion.machine.nics
    refused: dict[str, str] = {}
    lines: dict[str, list[str]] = {_RULES: [], _TABLE: []}
    rules = has_udev(draft, conversion) and not 0 < conversion.udev < _ATTRIBUTES
    nameif = draft.is_file(_MDEV) and "nameif" in draft.text(_MDEV)
    for index, name in sorted(names.items()):
        mac = nics[index].mac
        if mac is None and len(nics) > 1:
            refused[name] = f"the source gives card {index + 1} no MAC to know it by"
        elif conversion.udev >= _LINK_FILES:
            draft.write(f"/etc/systemd/network/10-v2v-{name}.link", link_file(name, mac), why=_WHY)
        elif rules:
            lines[_RULES].append(udev_rule(name, mac))
        elif name == f"eth{index}":
            continue  # the kernel's own name
        elif nameif and mac is not None:
            lines[_TABLE].append(f"{name} {mac}\n")
        else:
            refused[name] = "the guest has no udev that could give this name to a network card"
    for path, new in lines.items():
        _append(draft, path, new)
    return refused


def _append(draft: Draft, path: str, lines: Sequence[str]) -> None:
    old = draft.text(path) if draft.is_file(path) else ""
    new = "".join(line for line in lines if line not in old)
    if new:
        end = "" if old.endswith("\n") or not old else "\n"
        draft.write(path, f"{old}{end}{_COMMENT}{new}", why=_WHY)


def link_file(name: str, mac: str | None) -> str:
    """Return a systemd.link(5) file; bonds, bridges and VLANs copy MACs but have no PCI path.

    Before systemd 230 that of a virtio card began with virtio-pci.
    """
    match = f"MACAddress={mac}\n" if mac else ""
    return f"{_COMMENT}[Match]\n{match}Path=*pci-*\n\n[Link]\nName={name}\n"


def udev_rule(name: str, mac: str | None) -> str:
    """Return a rule in the form of Debian's 75-persistent-net-generator.rules.

    It does not ask for the kernel's name, which the initramfs may have replaced already.
    """
    address = f'ATTR{{address}}=="{mac}", ' if mac else ""
    return (
        f'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", {address}'
        f'ATTR{{type}}=="1", NAME="{name}"\n'
    )
