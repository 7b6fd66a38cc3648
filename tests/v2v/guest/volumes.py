# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the appliance's lsblk, udev and mdadm say of a guest's disks, in short."""

from __future__ import annotations

import json
from collections.abc import Mapping

from v2v.guest.volumes import Volumes, read

Node = dict[str, object]


def node(name: str, kind: str, type: str | None = None, *children: Node, **more: object) -> Node:
    """A device as lsblk -J prints it; ``kname`` differs from the name for device-mapper's."""
    facts: Node = {"hctl": None, "size": 1 << 30, "pttype": None, "parttype": None}
    facts |= {"name": name, "kname": name, "type": kind, "fstype": type, "label": None}
    facts |= {"uuid": f"uuid-of-{name}" if type else None, **more}
    return facts | ({"children": list(children)} if children else {})


def disk(target: int, name: str, *children: Node, type: str | None = None) -> Node:
    """A disk; ``target`` is its place in the source, whatever the kernel calls it."""
    table = "gpt" if children and children[0]["type"] == "part" else None
    return node(name, "disk", type, *children, hctl=f"2:0:{target}:0", pttype=table)


def volumes(
    *disks: Node,
    links: Mapping[str, str] | None = None,
    mdstat: str = "",
    arrays: str = "",
    heads: Mapping[str, bytes] | None = None,
) -> Volumes:
    """What is read of them; ``links`` are udev's, absolute."""
    said = {"/lsblk": json.dumps({"blockdevices": disks}), "/mdstat": mdstat, "/arrays": arrays}
    said["/links"] = "".join(f"{path} {target}\n" for path, target in (links or {}).items())
    gathered = {path: text.encode() for path, text in said.items()} | dict(heads or {})
    count = sum(1 for each in disks if each["name"] != "/dev/appliance")
    return read(gathered, tuple(f"/dev/sd{letter}" for letter in "abcdef"[:count]))


APPLIANCE = node("/dev/appliance", "disk", "ext2", hctl="2:0:99:0")
_LV = {"kname": "/dev/dm-1"}
# LVM with a thin pool in a partition; the kernel calls the first disk sdb.
THIN = disk(
    0,
    "/dev/sdb",
    node("/dev/sdb1", "part", "vfat", parttype="c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
    node(
        "/dev/sdb2",
        "part",
        "LVM2_member",
        *(
            node(
                f"/dev/mapper/vg-pool_{part}",
                "lvm",
                None,
                node("/dev/mapper/vg-pool-tpool", "lvm", None,
                     node("/dev/mapper/vg-my--root", "lvm", "xfs", **_LV), kname="/dev/dm-0"),
                kname=f"/dev/dm-{part}",
            )
            for part in ("tmeta", "tdata")
        ),
        node("/dev/mapper/vg-crypt", "lvm", "crypto_LUKS", kname="/dev/dm-2"),
    ),
)  # fmt: skip
THIN_LINKS = {
    "/dev/vg/my-root": "../dm-1",
    "/dev/mapper/vg-my--root": "../dm-1",
    "/dev/disk/by-id/dm-uuid-LVM-1": "../../dm-1",
    "/dev/vg/crypt": "../dm-2",
    "/dev/disk/by-partuuid/1": "../../sdb1",
    "/dev/disk/by-path/pci-scsi-0:0:0:0-part1": "../../sdb1",
    "/dev/disk/by-id/scsi-0QEMU_hd0-part1": "../../sdb1",
}
