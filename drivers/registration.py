# SPDX-License-Identifier: LGPL-2.1-or-later
"""Edits the configuration of initramfs-tools, so that the next initramfs that the guest makes has
virtio too: text in, text out.
"""

from __future__ import annotations

from collections.abc import Iterable

INITRAMFS_TOOLS = "/etc/initramfs-tools/modules"

_NOTE = "# virtio, for KVM (added by v2v)"


def initramfs_tools(text: str, modules: Iterable[str]) -> str:
    """Return /etc/initramfs-tools/modules with the modules in it; those there are left alone.

    Each line has a module and its options (initramfs-tools(7)). The file is copied into the
    initramfs as conf/modules, and what it names is loaded before the root is looked for.
    """
    there = {words[0].replace("-", "_") for line in text.splitlines() if (words := line.split())}
    lacking = [name for name in modules if name not in there]
    if not lacking:
        return text
    before = text if text.endswith("\n") or not text else f"{text}\n"
    return before + "".join(f"{line}\n" for line in (_NOTE, *lacking))
