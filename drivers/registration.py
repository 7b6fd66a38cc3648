# SPDX-License-Identifier: LGPL-2.1-or-later
"""Edits the configuration of the tools that make initramfs images, so that the next one that the
guest makes has virtio too: text in, text out.
"""

from __future__ import annotations

from collections.abc import Iterable

INITRAMFS_TOOLS = "/etc/initramfs-tools/modules"
DRACUT = "/etc/dracut.conf.d/90-v2v-virtio.conf"
MKINITCPIO = "/etc/mkinitcpio.conf"

_NOTE = "# virtio, for KVM (added by v2v)"


def initramfs_tools(text: str, modules: Iterable[str]) -> str:
    """Return /etc/initramfs-tools/modules with the modules in it; those there are left alone.

    Each line has a module and its options (initramfs-tools(7)). The file is copied into the
    initramfs as conf/modules, and what it names is loaded before the root is looked for.
    """
    there = {words[0].replace("-", "_") for line in text.splitlines() if (words := line.split())}
    return _with_lines(text, [name for name in modules if name not in there])


def dracut(modules: Iterable[str]) -> str:
    """Return a file of /etc/dracut.conf.d that adds the modules.

    The spaces at both ends matter: values of += are joined as they are (dracut.conf(5)).
    """
    return f'{_NOTE}\nadd_drivers+=" {" ".join(modules)} "\n'


def mkinitcpio(text: str, modules: Iterable[str]) -> str:
    """Return /etc/mkinitcpio.conf, which is read by bash, with the modules added at its end."""
    line = f"MODULES+=({' '.join(modules)})"
    return _with_lines(text, [] if line in text.splitlines() else [line])


def _with_lines(text: str, lines: list[str]) -> str:
    if not lines:
        return text
    before = text if text.endswith("\n") or not text else f"{text}\n"
    return before + "".join(f"{line}\n" for line in (_NOTE, *lines))
