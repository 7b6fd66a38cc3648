# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ends the services of the old hypervisor's tools now; the first boot removes their packages.

Removing packages needs the guest's own programs. In an appliance without KVM `dpkg --purge
open-vm-tools` alone took 12 s, most of a conversion; it also stops half-way where the package
database is locked or in need of repair, and then the conversion would. At first boot it costs
nothing that anybody waits for, and a failure leaves a package that no longer starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from converters.linux.conversion import Conversion
from v2v.changes import Draft

_SYSTEMD = "/etc/systemd/system"
_LOCATIONS = "/etc/vmware-tools/locations"
_VBOX_CONFIG = "/var/lib/VBoxGuestAdditions/config"


@dataclass(frozen=True, slots=True)
class Tools:
    """What a hypervisor has put into its guests."""

    hypervisor: str
    packages: re.Pattern[str]
    services: tuple[str, ...]  # names of systemd units, SysV scripts and upstart jobs


# No metapackage stands here: ubuntu-server depends on open-vm-tools, and dpkg then keeps that.
TOOLS = (
    Tools(
        "VMware",
        re.compile(r"open-vm-(tools|toolbox|dkms|source)(-[\w-]+)?|vmware-tools-[\w-]+"),
        ("open-vm-tools", "vgauth", "vmware-tools", "vmware-tools-thinprint"),
    ),
    Tools(
        "VirtualBox",
        re.compile(r"virtualbox(-ose)?-guest-(utils|x11|dkms|additions|source)(-hwe)?"),
        ("virtualbox-guest-utils", "vboxadd", "vboxadd-service", "vboxadd-x11"),
    ),
    Tools(
        "Xen",
        re.compile(r"xe-guest-utilities(-[\w-]+)?|xen-guest-agent|xen-utils-guest|xenstore-utils"),
        ("xe-linux-distribution", "xe-daemon", "xen-guest-agent", "xenstored", "xendomains"),
    ),
    Tools(
        "Hyper-V",
        re.compile(r"hyperv-daemons"),
        ("hyperv-daemons.hv-kvp-daemon", "hv-kvp-daemon", "hv-vss-daemon", "hv-fcopy-daemon"),
    ),
    Tools("Parallels", re.compile(r"parallels-tools"), ("prltoolsd", "prltools", "prl-x11")),
)  # fmt: skip


def leftover_packages(conversion: Conversion) -> tuple[str, ...]:
    """Return the installed packages of other hypervisors' tools."""
    return tuple(
        sorted(
            name
            for name in conversion.packages
            if any(tools.packages.fullmatch(name) for tools in TOOLS)
        )
    )


def uninstallers(draft: Draft) -> tuple[str, ...]:
    """Return the uninstallers of tools that came as an archive, not as packages."""
    found = []
    if draft.is_file(_LOCATIONS) and draft.is_file("/usr/bin/vmware-uninstall-tools.pl"):
        found.append("/usr/bin/vmware-uninstall-tools.pl")
    if draft.is_file(_VBOX_CONFIG):
        folder = re.search(
            r"^INSTALL_DIR=['\"]?(/[\w./-]+)", draft.text(_VBOX_CONFIG), re.MULTILINE
        )
        script = f"{folder[1]}/uninstall.sh" if folder else ""
        found += [script] if script and draft.is_file(script) else []
    return tuple(found)


def disable_services(draft: Draft, conversion: Conversion) -> None:
    """Keep the tools' services from starting: without their hypervisor they fail, or wait for it.

    Masks are links to /dev/null, systemd.unit(5); the first boot removes them with the packages.
    """
    for tools in TOOLS:
        for service in tools.services:
            why = f"{tools.hypervisor}'s tools have nothing to do on KVM"
            if _enabled(draft, service):
                draft.link(mask(service), "/dev/null", why=why)
            for link in draft.glob(f"/etc/rc[2345S].d/S[0-9][0-9]{service}"):
                if not conversion.systemd:
                    draft.remove(link, why=why)
            if draft.is_file(f"/etc/init/{service}.conf"):
                draft.write(f"/etc/init/{service}.override", "manual\n", why=why)


def mask(service: str) -> str:
    """Return where a link to /dev/null keeps a service from starting."""
    return f"{_SYSTEMD}/{service}.service"


def masked(draft: Draft) -> tuple[str, ...]:
    """Return the masks of all tools' services that are there, drafted ones included."""
    paths = [mask(service) for tools in TOOLS for service in tools.services]
    return tuple(
        path
        for path in paths
        if (found := draft.stat(path)) is not None
        and found.is_link
        and draft.readlink(path) == "/dev/null"
    )


def _enabled(draft: Draft, service: str) -> bool:
    return any(
        draft.glob(f"{_SYSTEMD}/*.{kind}/{service}.service") for kind in ("wants", "requires")
    )


def spare_the_initramfs(draft: Draft, conversion: Conversion) -> None:
    """Tell the uninstaller of VMware's archive not to make each initramfs anew, from its backups.

    Those are from before the conversion and hold no virtio.
    """
    if not draft.is_file(_LOCATIONS):
        return
    text = draft.text(_LOCATIONS)
    lines = [f"remove_answer RESTORE_RAMDISK_{what}\n" for what in ("CMD", "KERNELS", "ONECALL")]
    text += "".join(line for line in lines if line not in text)
    draft.write(_LOCATIONS, text, why="the uninstaller must not put back an old initramfs")
