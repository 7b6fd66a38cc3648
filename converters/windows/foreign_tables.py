# SPDX-License-Identifier: LGPL-2.1-or-later
"""What each hypervisor has put into its Windows guests: drivers, services, filters, programs.

Only services that a hypervisor's own tools bring stand here. What Windows brings itself stays,
whoever made it: drivers of LSI's, Intel's and AHCI controllers, and those of Hyper-V's devices
(vmbus, storvsc, netvsc, vmic*), which sleep where there is no VMBus. Hyper-V thus has no entry:
where its integration services are a program of their own (up to Windows 7 and 2008 R2), Microsoft
offers no way to uninstall them.

VMware's drivers of devices that KVM does not have (pvscsi, vmxnet3, vmci, vsock, vm3dmp, vmaudio)
never start there, so nothing is disabled of them. What is disabled does start: it talks to the
backdoor's I/O port, which QEMU answers in parts (vmmemctl, vmmouse), logs errors at each boot, or
waits for a host that is not there (VMTools, vmhgfs).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one hypervisor."""

    name: str
    programs: re.Pattern[str]  # DisplayName of what is uninstalled, or the name of its key
    services: tuple[str, ...]  # do not start on KVM
    devices: re.Pattern[str]  # hardware ids of the devices that nobody else has
    msi_options: str = ""


# Sources: XenServer's and XCP-ng's own removal programs (xenserver/win-installer PVDriversPurge,
# xcp-ng-windows-installer XenClean), GPLPV's uninstall.bat, and the INF files of each.
XEN = Tools(
    "Xen",
    re.compile(
        r"Red Hat Paravirtualized Xen Drivers for Windows.*"
        r"|Citrix (XenServer|Hypervisor) .*(Tools|Agent|Drivers|VSS Provider).*"
        r"|Citrix XenTools"
        r"|Citrix Xen Windows x(86|64) PV Drivers"
        r"|(XenServer|Citrix Hypervisor|XCP-ng) (VM|PV|Windows) .*"
        r"|(GPL |Xen )PV Drivers( for Windows)?.*"
        r"|Xen Project PV Drivers.*"
        r"|Oracle VM .*(PV|Paravirtual\w*) Drivers.*"
        r"|AWS PV Drivers.*",
        re.IGNORECASE,
    ),
    (
        # Xen Project, XenServer 6.5 to 8, XCP-ng, Qubes
        "xenbus", "xenfilt", "xenvbd", "xendisk", "xencrsh", "xenvif", "xennet", "xeniface",
        "xencons", "xenhid", "xenvkbd", "xenbus_monitor", "xencons_monitor", "xenagent",
        "XenInstall", "InstallAgent",
        # XenServer up to 6.2
        "xenevtchn", "xennet6", "xenutil", "xenlite", "xensvc", "scsifilt",
        # RHEL
        "rhelscsi", "rhelnet", "rhelfltr",
        # GPLPV
        "xenpci", "xenhide", "xenscsi", "xenusb", "ShutdownMon",
        # Oracle VM
        "ovmblk", "ovmnet",
        # Novell and SUSE; their drivers for virtio (pvvx*) stay, and so does the program
        "xenblk",
    ),
    re.compile(
        r"(XEN|XENBUS|XENVIF|XENDEV|XENUSB)\\|PCI\\VEN_(5853|FFFD)\b|ROOT\\XENEVTCHN", re.IGNORECASE
    ),
)  # fmt: skip
VMWARE = Tools(
    "VMware",
    re.compile(r"VMware Tools.*", re.IGNORECASE),
    (
        "VMTools", "VGAuthService", "VMUpgradeHelper", "VMware Physical Disk Helper Service",
        "VMwareCAF", "VMwareCAFCommAmqpListener", "VMwareCAFManagementAgentHost", "GISvc",
        "vm3dservice", "vmvss", "vmmemctl", "vmhgfs", "vmmouse", "vmusbmouse", "vmrawdsk",
        "vmdesched", "vsepflt", "vnetflt", "vnetWFP", "glxgi",
    ),
    re.compile(r"PCI\\VEN_15AD\b|(USB|HID)\\VID_0E0F\b|ACPI\\VMW", re.IGNORECASE),
)  # fmt: skip
VIRTUALBOX = Tools(
    "VirtualBox",
    re.compile(r"(Oracle|Sun|innotek) (VM )?(xVM )?VirtualBox Guest Additions.*", re.IGNORECASE),
    ("VBoxGuest", "VBoxService", "VBoxMouse", "VBoxSF", "VBoxVideo", "VBoxVideoW8", "VBoxWddm"),
    re.compile(r"PCI\\VEN_80EE\b", re.IGNORECASE),
)
PARALLELS = Tools(
    "Parallels",
    re.compile(r".*(Parallels|Virtuozzo) Tools.*", re.IGNORECASE),
    (
        "prl_boot", "prl_dd", "prl_eth5", "prl_fs", "prl_memdev", "prl_mouf", "prl_pv32",
        "prl_pv64", "prl_scsi", "prl_sound", "prl_strg", "prl_tg", "prl_time", "prl_uprof",
        "prl_va", "prl_tools", "prl_tools_service",
    ),
    re.compile(r"PCI\\VEN_1AB8\b", re.IGNORECASE),
    msi_options="PREVENT_REBOOT=Yes LAUNCHED_BY_SETUP_EXE=Yes",
)  # fmt: skip
TOOLS = (XEN, VMWARE, VIRTUALBOX, PARALLELS)
