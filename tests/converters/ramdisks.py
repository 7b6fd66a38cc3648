# SPDX-License-Identifier: LGPL-2.1-or-later
"""Initramfs images as the tools of guests make them, in short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.compression import Compression
from drivers.virtio import module_name
from tests.drivers.images import compressed, newc

_UDEV = {"lib/systemd/systemd-udevd": b"\x7fELF"}
_NASH = b"""\
#!/bin/nash
mount -t proc /proc /proc
setquiet
echo Setting up hotplug.
hotplug
echo Creating block device nodes.
mkblkdevs
INSMODecho Waiting for driver initialization.
stabilized --hash --interval 250 /proc/scsi/scsi
mkblkdevs
resume LABEL=SWAP-sda2
echo Creating root device.
mkrootdev -t ext3 -o defaults,ro LABEL=/
mount /sysroot
switchroot
"""

# What images of each tool have, beside modules and their index.
_BASE: Mapping[str, Mapping[str, bytes | str | None]] = {
    "initramfs-tools": {
        "conf": None,
        "conf/conf.d": None,
        "conf/initramfs.conf": b"MODULES=list\n",
        "conf/modules": b"",
        "lib": None,
        "lib/systemd": None,
        **_UDEV,
    },
    "dracut": {
        "bin": "usr/bin",
        "lib": "usr/lib",
        "init": "usr/lib/systemd/systemd",
        "usr/lib/dracut": None,
        "usr/lib/systemd/systemd-udevd": b"\x7fELF",
    },
    "mkinitcpio": {
        "lib": "usr/lib",
        "usr/lib": None,
        "VERSION": b"39.2",
        "buildconfig": b"",
        "init_functions": b"",
        "config": b'MODULES="ext4"\nEARLYHOOKS=""\nHOOKS="keymap"\n',
    },
    "suse": {
        "lib": None,
        "sbin/udevd": b"\x7fELF",
        "run_all.sh": b"",
        "boot/03-block.sh": b"",
    },
    "nash": {"bin/nash": b"\x7fELF", "lib": None, "init": b""},
    "make-initrd": {"bin/initrd-sh-functions": b"", "sbin/udevd": b"\x7fELF", "lib": None},
    "mkinitfs": {"sbin/nlplug-findfs": b"\x7fELF", "lib": None, "init": b"#!/bin/sh\n"},
    "booster": {"etc/booster.init.yaml": b"kernel: 6\n", "init": b"\x7fELF"},
}


def image(
    version: str,
    modules: Sequence[str],
    files: Mapping[str, str],
    compression: Compression,
    tool: str = "initramfs-tools",
) -> bytes:
    """Return an initramfs with these modules."""
    members: dict[str, bytes | str | None] = dict(_BASE[tool])
    if tool == "nash":
        names = [module_name(path) for path in modules]
        lines = "".join(f'echo "Loading {name}.ko"\ninsmod /lib/{name}.ko \n' for name in names)
        members["init"] = _NASH.replace(b"INSMOD", lines.encode())
        members |= {f"lib/{name}.ko": name.encode() for name in names}
    else:
        members[f"lib/modules/{version}/modules.dep"] = b""
        members |= {f"lib/modules/{version}/{path}": path.encode() for path in modules}
    return compressed(newc(members | {path: text.encode() for path, text in files.items()}),
                      compression)  # fmt: skip


def maker(argv: Sequence[str]) -> str:
    """Return the tool that a command runs."""
    if argv[0] == "mkinitrd":
        return "suse" if "-B" in argv else "nash"
    return "initramfs-tools" if argv[0] == "update-initramfs" else argv[0]
