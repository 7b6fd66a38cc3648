# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's own tool is found and told what to make."""

from __future__ import annotations

import shlex

import pytest

from drivers.initramfs import Tool
from drivers.rebuild import rebuild
from v2v.files import DictFiles, Link

UPDATE = {"/usr/sbin/update-initramfs": "", "/etc/initramfs-tools/initramfs.conf": ""}
DRACUT = {"/usr/lib/dracut/dracut-functions.sh": ""}


def command(files: dict[str, str], tool: Tool = Tool.unknown) -> str | None:
    """The command line for a kernel with two modules."""
    content: dict[str, bytes | str | Link] = {**files}
    found = rebuild(DictFiles(content), tool)
    if found is None:
        return None
    return shlex.join(found.command("6.1", "/boot/initrd-6.1", "/boot/vmlinuz-6.1", ("a", "b")))


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (UPDATE, "update-initramfs -u -k 6.1"),
        (DRACUT, "dracut --force --no-hostonly --add-drivers 'a b' /boot/initrd-6.1 6.1"),
        (
            {"/usr/share/dracut/dracut-functions": ""},
            "dracut --force --add-drivers 'a b' /boot/initrd-6.1 6.1",
        ),
        ({"/usr/bin/mkinitcpio": ""}, "mkinitcpio -S autodetect -k 6.1 -g /boot/initrd-6.1"),
        (
            {"/sbin/mkinitrd": "", "/etc/SuSE-release": ""},
            "mkinitrd -B -k vmlinuz-6.1 -i initrd-6.1",
        ),
        (
            {"/sbin/mkinitrd": "", "/sbin/nash": ""},
            "mkinitrd -f --with=a --with=b /boot/initrd-6.1 6.1",
        ),
        ({"/usr/sbin/make-initrd": ""}, "make-initrd -k 6.1"),
        ({"/sbin/mkinitfs": ""}, "mkinitfs -o /boot/initrd-6.1 6.1"),
        (
            {"/usr/bin/booster": ""},
            "booster build --force --universal --kernel-version 6.1 /boot/initrd-6.1",
        ),
        ({"/usr/bin/ugrd": ""}, "ugrd --no-hostonly --kver 6.1 /boot/initrd-6.1"),
        ({"/sbin/mkinitrd": ""}, None),
    ],
)
def test_each_tool_makes_an_image_for_any_hardware(files: dict[str, str], line: str | None) -> None:
    assert command(files) == line


def test_the_tool_of_the_image_comes_first() -> None:
    both = {**UPDATE, **DRACUT}
    assert (command(both, Tool.dracut) or "").startswith("dracut")
    assert (command(both, Tool.unknown) or "").startswith("update-initramfs")
    assert (command(DRACUT, Tool.initramfs_tools) or "").startswith("dracut")
