# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes an initramfs load the drivers of virtio disks that are put into it.

Most images have udev, or nlplug-findfs in its place, which load what a device's alias names:
those of dracut, make-initrd, mkinitfs, and of SUSE's mkinitrd since version 2. The others load
what a file of theirs names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from drivers.initramfs import Contents, InitramfsError, Tool
from drivers.registration import initramfs_tools, with_words

_INSMOD = re.compile(r"^[ \t]*insmod[ \t].*\n", re.MULTILINE)
_MKBLKDEVS = re.compile(r"^[ \t]*mkblkdevs[ \t]*\n", re.MULTILINE)


def loading(
    contents: Contents, files: Mapping[str, bytes], names: Iterable[str]
) -> dict[str, bytes]:
    """Return the files with which the image loads the modules, each after all that it needs.

    None are needed where it loads by alias. ``files`` are those of the image as they will be.
    Raises InitramfsError where it would load nothing.
    """
    tool = contents.tool
    if tool is Tool.unknown:
        raise InitramfsError("made by an unknown tool, which may not load what is added")
    if tool is Tool.booster:
        raise InitramfsError("booster loads only what its own list of aliases has")
    if tool in _LISTS and (tool is not Tool.mkinitcpio or not contents.has_hotplug):
        path, edit = _LISTS[tool]
        path = contents.resolve(path)
        text = files.get(path, b"").decode(errors="surrogateescape")
        return {path: edit(text, names).encode(errors="surrogateescape")}
    if not contents.has_hotplug:
        raise InitramfsError("has no udev, so nothing would load what is added")
    return {}


def nash_init(text: str, names: Iterable[str]) -> str:
    """Return nash's /init with modules loaded behind the others, before the root is looked for.

    Raises InitramfsError if there is no such place. mkblkdevs makes the nodes of the disks found.
    """
    last = max((match.end() for match in _INSMOD.finditer(text)), default=None)
    first = _MKBLKDEVS.search(text)
    at = last if last is not None else first and first.start()
    if at is None:
        raise InitramfsError("its /init loads no module and looks for no disk")
    lines = "".join(f'echo "Loading {name}.ko module"\ninsmod /lib/{name}.ko\n' for name in names)
    nodes = "" if _MKBLKDEVS.search(text, at) else "mkblkdevs\n"
    return text[:at] + lines + nodes + text[at:]


def _busybox(text: str, names: Iterable[str]) -> str:
    """mkinitcpio's /init loads MODULES before it runs its hooks."""
    return with_words(text, "MODULES", names)


# The file that names what is loaded, and its editor.
_LISTS: Mapping[Tool, tuple[str, Callable[[str, Iterable[str]], str]]] = {
    Tool.initramfs_tools: ("conf/modules", initramfs_tools),
    Tool.mkinitcpio: ("config", _busybox),
    Tool.nash: ("init", nash_init),
}
