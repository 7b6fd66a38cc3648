# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import disk_units
from tests.converters.linux.names import ROOT, SWAP, names
from v2v.changes import Draft
from v2v.files import DictFiles, Link

UNIT = f"dev-disk-by\\x2duuid-{SWAP.replace('-', chr(92) + 'x2d')}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("After=dev-xvda2.device", f"After={UNIT}.device"),
        ("Wants=dev-xvda2.swap foo.service", f"Wants={UNIT}.swap foo.service"),
        ("After=dev-xvdb2.device", "After=dev-vdb2.device"),
        ("After=dev-mapper-vg\\x2droot.device", "After=dev-mapper-vg\\x2droot.device"),
        ("After=dev-xvdz1.device", "After=dev-xvdz1.device"),
        ("After=dev-ttyS0.device", "After=dev-ttyS0.device"),
        ("After=x-dev-xvda2.device", "After=x-dev-xvda2.device"),
    ],
)
def test_units_of_the_old_disks_are_renamed(old: str, new: str) -> None:
    assert disk_units.edited(old, names()) == new


def test_names_by_hardware_are_unescaped_first() -> None:
    old = "dev-disk-by\\x2dpath-pci\\x2d0000:03:00.0\\x2dscsi\\x2d0:0:0:0\\x2dpart1.device"
    one = names(known=("sda",))
    assert disk_units.edited(old, one) == f"{UNIT.replace('02', '01')}.device"
    assert ROOT[-1] == "1"


def test_a_swap_unit_is_renamed_with_its_links_and_its_device() -> None:
    folder = "/etc/systemd/system"
    files = DictFiles(
        {
            f"{folder}/dev-xvda2.swap": "[Swap]\n# What=/dev/xvda2\nWhat=/dev/xvda2\n",
            f"{folder}/swap.target.wants/dev-xvda2.swap": Link("../dev-xvda2.swap"),
            f"{folder}/other.service": "[Unit]\nAfter=local-fs.target\n",
            f"{folder}/display-manager.service": Link("/lib/systemd/system/gdm.service"),
        }
    )
    draft = Draft(files)
    disk_units.rename(draft, names())
    for change in draft.changes:
        change.apply(files)
    new = f"[Swap]\n# What=/dev/xvda2\nWhat=/dev/disk/by-uuid/{SWAP}\n"
    assert files.content == {
        f"{folder}/{UNIT}.swap": new.encode(),
        f"{folder}/swap.target.wants/{UNIT}.swap": Link(f"../{UNIT}.swap"),
        f"{folder}/other.service": b"[Unit]\nAfter=local-fs.target\n",
        f"{folder}/display-manager.service": Link("/lib/systemd/system/gdm.service"),
    }
    again = Draft(files)
    disk_units.rename(again, names())
    assert again.changes == []
