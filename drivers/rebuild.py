# SPDX-License-Identifier: LGPL-2.1-or-later
"""How each tool is told to make an initramfs anew: commands as data.

The command runs in the appliance, whose hardware is not the guest's. So each is asked for an
image that does not depend on the hardware: dracut's and ugRD's not for this host only, booster's
universal, mkinitcpio's without autodetect. Where a tool has no such way, the list of modules in
its configuration says what has to be in.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from drivers.initramfs import Tool
from v2v.files import Files, realpath


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A tool of the guest: ``needs`` are files that are all there where it is installed.

    In ``argv``, {version} is the kernel's, {path} the image's; {file} and {kernel} are the names
    of both images in /boot. A word with {module} stands once for each module, {modules} for all.
    """

    tool: Tool
    needs: tuple[str, ...]
    argv: tuple[str, ...]

    def command(
        self, version: str, path: str, kernel: str, modules: Iterable[str]
    ) -> tuple[str, ...]:
        """Return the command that makes the image of a kernel."""
        names = tuple(modules)
        known = {
            "version": version,
            "path": path,
            "file": posixpath.basename(path),
            "kernel": posixpath.basename(kernel),
            "modules": " ".join(names),
        }
        return tuple(
            word.format(**known, module=name)
            for word in self.argv
            for name in (names if "{module}" in word else names[:1] or ("",))
        )


# In the order of choice, where an image does not tell its tool.
# fmt: off
_REBUILDS = (
    Rebuild(Tool.initramfs_tools,
            ("/usr/sbin/update-initramfs", "/etc/initramfs-tools/initramfs.conf"),
            ("update-initramfs", "-u", "-k", "{version}")),
    Rebuild(Tool.dracut, ("/usr/lib/dracut/dracut-functions.sh",),
            ("dracut", "--force", "--no-hostonly", "--add-drivers", "{modules}",
             "{path}", "{version}")),
    Rebuild(Tool.dracut, ("/usr/share/dracut/dracut-functions",),  # RHEL 6: not host-only
            ("dracut", "--force", "--add-drivers", "{modules}", "{path}", "{version}")),
    Rebuild(Tool.mkinitcpio, ("/usr/bin/mkinitcpio",),
            ("mkinitcpio", "-S", "autodetect", "-k", "{version}", "-g", "{path}")),
    Rebuild(Tool.suse, ("/sbin/mkinitrd", "/etc/SuSE-release"),
            ("mkinitrd", "-B", "-k", "{kernel}", "-i", "{file}")),
    Rebuild(Tool.nash, ("/sbin/mkinitrd", "/sbin/nash"),
            ("mkinitrd", "-f", "--with={module}", "{path}", "{version}")),
    Rebuild(Tool.make_initrd, ("/usr/sbin/make-initrd",), ("make-initrd", "-k", "{version}")),
    Rebuild(Tool.mkinitfs, ("/sbin/mkinitfs",), ("mkinitfs", "-o", "{path}", "{version}")),
    Rebuild(Tool.booster, ("/usr/bin/booster",),
            ("booster", "build", "--force", "--universal", "--kernel-version", "{version}",
             "{path}")),
    Rebuild(Tool.unknown, ("/usr/bin/ugrd",),
            ("ugrd", "--no-hostonly", "--kver", "{version}", "{path}")),
)
# fmt: on


def rebuild(files: Files, tool: Tool) -> Rebuild | None:
    """Return the tool that the guest has: the one of the image, else any; None if it has none."""
    there = [row for row in _REBUILDS if all(_is_there(files, path) for path in row.needs)]
    return min(there, key=lambda row: row.tool is not tool, default=None)


def _is_there(files: Files, path: str) -> bool:
    return files.stat(realpath(files, path)) is not None
