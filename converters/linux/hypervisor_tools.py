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

from converters.linux import inits
from converters.linux.conversion import Conversion
from v2v.changes import Draft
from v2v.model import Hypervisor

_LOCATIONS = "/etc/vmware-tools/locations"
_VMWARE_UNINSTALL = "/usr/bin/vmware-uninstall-tools.pl"
_VBOX_CONFIG = "/var/lib/VBoxGuestAdditions/config"
_PARALLELS_INSTALL = "/usr/lib/parallels-tools/install"


@dataclass(frozen=True, slots=True)
class Tools:
    """What a hypervisor has put into its guests."""

    name: str
    hypervisor: Hypervisor
    packages: re.Pattern[str]  # names in all distributions; Gentoo's without their category
    services: tuple[str, ...]  # names of systemd units, System V scripts and upstart jobs


# No metapackage stands here: ubuntu-server depends on open-vm-tools, and dpkg then keeps that.
TOOLS = (
    Tools(
        "VMware",
        Hypervisor.vmware,
        re.compile(
            r"open-vm-(tools|toolbox|dkms|source)(-[\w.-]+)?|VMwareTools|vmware-tools-[\w.-]+"
            r"|vmware-(guest-)?kmp-\w+|kmod-vmware-tools[\w.-]*"
        ),
        ("open-vm-tools", "vmtoolsd", "vgauth", "vgauthd", "vmware-vmblock-fuse", "vmware-tools",
         "vmware-tools-services", "vmware-tools-thinprint"),
    ),
    Tools(
        "VirtualBox",
        Hypervisor.virtualbox,
        re.compile(r"virtualbox(-ose)?-guest-[\w.-]+"),
        ("virtualbox-guest-utils", "virtualbox-guest-additions", "vboxservice", "vboxadd",
         "vboxadd-service", "vboxadd-x11", "vboxdrmclient"),
    ),
    Tools(
        "Xen",
        Hypervisor.xen,
        re.compile(
            r"xe-guest-utilities(-[\w-]+)?|xen-guest-agent|xen-utils-guest|xen-tools-domU"
            r"|xenstore-utils|kmod-xenpv[\w.-]*"
        ),
        ("xe-linux-distribution", "xe-daemon", "xe-guest-utilities", "xen-guest-agent",
         "xenstored", "xendomains"),
    ),
    Tools(
        "Hyper-V",
        Hypervisor.hyperv,
        re.compile(r"hyperv-(daemons|daemons-license|tools)|hyperv|hyper-v|hyperv(kvp|vss|fcopy)d"
                   r"|hvtools"),
        ("hyperv-daemons.hv-kvp-daemon", "hv-kvp-daemon", "hv-vss-daemon", "hv-fcopy-daemon",
         "hypervkvpd", "hypervvssd", "hypervfcopyd", "hv_kvp_daemon", "hv_vss_daemon",
         "hv_fcopy_daemon"),
    ),
    # Azure's agent may be what has set up the users; it stays, but finds nobody to report to.
    Tools("Azure", Hypervisor.hyperv, re.compile(r"(?!)"), ("walinuxagent", "waagent")),
    Tools(
        "Parallels",
        Hypervisor.parallels,
        re.compile(r"parallels-tools"),
        ("prltoolsd", "prltools", "prltools_updater", "prl-x11"),
    ),
)  # fmt: skip


def leftover_packages(draft: Draft, conversion: Conversion) -> tuple[str, ...]:
    """Return the installed packages of other hypervisors' tools, as the guest is now.

    The package database is asked only of tools that there may be: those of the guest's hypervisor,
    and of others that have left a service.
    """
    likely = [
        tools
        for tools in TOOLS
        if tools.hypervisor is conversion.machine.hypervisor
        or any(inits.known(draft, service) for service in tools.services)
    ]
    return tuple(
        sorted(
            name
            for name in (conversion.packages if likely else ())
            if any(tools.packages.fullmatch(name.rpartition("/")[2]) for tools in likely)
        )
    )


def uninstallers(draft: Draft) -> tuple[tuple[str, ...], ...]:
    """Return the command lines that remove tools which came as an archive, not as packages."""
    found: list[tuple[str, ...]] = []
    if draft.is_file(_LOCATIONS) and draft.is_file(_VMWARE_UNINSTALL):
        found.append((_VMWARE_UNINSTALL,))
    if draft.is_file(_VBOX_CONFIG):
        folder = re.search(
            r"^INSTALL_DIR=['\"]?(/[\w./-]+)", draft.text(_VBOX_CONFIG), re.MULTILINE
        )
        script = f"{folder[1]}/uninstall.sh" if folder else ""
        found += [(script,)] if script and draft.is_file(script) else []
    if inits.known(draft, "prltoolsd") and draft.is_file(_PARALLELS_INSTALL):
        found.append((_PARALLELS_INSTALL, "-r"))
    return tuple(found)


def disable_services(draft: Draft, conversion: Conversion) -> None:
    """Keep the tools' services from starting: without their hypervisor they fail, or wait for it.

    What is a mask goes again with the packages, at first boot.
    """
    for tools in TOOLS:
        why = f"{tools.name}'s tools have nothing to do on KVM"
        for service in tools.services:
            inits.disable(draft, conversion.init, service, why)


def disable_kudzu(draft: Draft, conversion: Conversion) -> None:
    """Keep Red Hat's kudzu (until RHEL 5) from taking the new hardware for a reason to ask.

    It stops the boot with a question for 30 s, and writes a new configuration for each card.
    """
    inits.disable(draft, conversion.init, "kudzu", "it would reconfigure the network cards")


def masked(draft: Draft) -> tuple[str, ...]:
    """Return the masks of all tools' services that are there, drafted ones included."""
    paths = [inits.mask(service) for tools in TOOLS for service in tools.services]
    return tuple(
        path
        for path in paths
        if (found := draft.stat(path)) is not None
        and found.is_link
        and draft.readlink(path) == "/dev/null"
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
