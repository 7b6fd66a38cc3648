# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks with every kind of storage and a few files of a Linux system on each.

The appliance makes them, as a host's kernel need not know of volume groups and arrays.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from v2v.guest.session import Drive, Session

PASSPHRASE = b"correct horse"
KEY_FILE = b"\x00\xffbinary\n\x00key\n"
SIZE = 400 << 20

_TOOLS = """\
set -x
at=/tmp/tree
mkdir -p $at
disk() { readlink -f /dev/disk/by-path/*-scsi-0:0:"$1":0; }
partition() { sfdisk -q "$1"; udevadm settle; }
tree() {  # NAME FSTAB, in the file system that is mounted
    mkdir -p $at/etc $at/bin $at/boot $at/usr/lib $at/var $at/home
    printf 'ID=test\\nPRETTY_NAME="%s"\\n' "$1" > $at/etc/os-release
    printf '%s\\n' "$2" > $at/etc/fstab
    cp /bin/sh $at/bin/sh
}
uuid() { blkid -p -o value -s UUID "$1"; }
luks() { cryptsetup luksFormat -q --pbkdf-force-iterations 1000 "$@"; }
"""
_THIN = """\
d=$(disk {thin})
printf 'label: gpt\\nsize=24M\\nsize=+\\n' | partition $d
vgcreate vg0 ${{d}}2
lvcreate -L 160M -T vg0/pool
lvcreate -V 200M -T vg0/pool -n root
lvcreate -L 40M -n my-data vg0
printf '{key_file}' > /tmp/key
luks --type luks2 --pbkdf pbkdf2 --key-file /tmp/key /dev/vg0/my-data
cryptsetup open --key-file /tmp/key /dev/vg0/my-data made
mke2fs -q -t ext4 -L data /dev/mapper/made
mke2fs -q -t ext2 ${{d}}1
mke2fs -q -t ext4 /dev/vg0/root
mount /dev/vg0/root $at
tree Thin "/dev/mapper/vg0-root / ext4 defaults 0 1
PARTUUID=$(blkid -p -o value -s PART_ENTRY_UUID ${{d}}1) /boot ext2 noauto 0 2
/dev/mapper/data /srv/my\\\\040data ext4 defaults 0 2
/dev/vg0/absent /var/lib/absent ext4 defaults 0 2"
mkdir -p "$at/srv/my data"
echo "data /dev/vg0/my-data /etc/keys/data luks" > $at/etc/crypttab
umount $at
cryptsetup close made
"""
_ARRAY = """\
for d in $(disk {one}) $(disk {two}); do echo ,200M | partition $d; done
mdadm --create /dev/md/made --run --level=1 --raid-devices=2 --metadata=1.2 --assume-clean \
    $(disk {one})1 $(disk {two})1
mdadm --create /dev/md/half --run --level=1 --raid-devices=2 --metadata=0.90 --assume-clean \
    $(disk {half}) missing
mke2fs -q -t ext3 /dev/md/made
mount /dev/md/made $at
tree Array "/dev/md0 / ext3 defaults 0 1"
mkdir $at/etc/mdadm
echo "ARRAY /dev/md0 metadata=1.2 $(mdadm --detail --export /dev/md/made | grep UUID \
    | sed s/MD_//)" > $at/etc/mdadm/mdadm.conf
umount $at
mdadm --stop /dev/md/made
mdadm --stop /dev/md/half
"""
_BTRFS = """\
d=$(disk {btrfs})
mkfs.btrfs -q $d
mount $d $at
btrfs subvolume create $at/@
btrfs subvolume create $at/@home
umount $at
mount -o subvol=@ $d $at
tree Subvolumes "UUID=$(uuid $d) / btrfs subvol=/@ 0 0
UUID=$(uuid $d) /home btrfs subvol=@home 0 0"
btrfs subvolume create $at/.snapshots
mkdir $at/.snapshots/1
btrfs subvolume snapshot $at $at/.snapshots/1/snapshot
umount $at
"""
_XFS = """\
d=$(disk {xfs})
mkfs.xfs -q -L rootfs $d
mount $d $at
tree Unclean "LABEL=rootfs / xfs defaults 0 0"
sync
touch $at/etc/hosts
xfs_io -x -c 'shutdown -f' $at
umount $at
"""
_TWO = """\
d=$(disk {two_roots})
printf 'size=60M\\nsize=60M\\nsize=16M\\n' | partition $d
mke2fs -q -t ext4 ${{d}}1
mke2fs -q -t ext4 ${{d}}2
mkswap ${{d}}3
printf S1SUSPEND | dd of=${{d}}3 bs=1 seek=4086 conv=notrunc
mount ${{d}}1 $at
tree Damaged "/dev/sda1 / ext4 defaults 0 1"
umount $at
mount ${{d}}2 $at
tree Hibernated "/dev/sda2 / ext4 defaults 0 1
/dev/sda3 none swap sw 0 0"
umount $at
debugfs -w -R 'clri /bin/sh' ${{d}}1
"""
_ENCRYPTED = """\
d=$(disk {encrypted})
printf 'size=24M\\nsize=+\\n' | partition $d
printf '{passphrase}' > /tmp/key
luks --type luks1 --key-file /tmp/key ${{d}}2
cryptsetup open --key-file /tmp/key ${{d}}2 made
vgcreate ubuntu-vg /dev/mapper/made
lvcreate -y -L 64M -n ubuntu-lv ubuntu-vg
mke2fs -q -t ext4 ${{d}}1
mke2fs -q -t ext4 /dev/ubuntu-vg/ubuntu-lv
mount /dev/ubuntu-vg/ubuntu-lv $at
tree Encrypted "/dev/disk/by-id/dm-uuid-LVM-$(dmsetup info -c --noheadings -o uuid \
    /dev/mapper/ubuntu--vg-ubuntu--lv | sed s/^LVM-//) / ext4 defaults 0 1
/dev/disk/by-uuid/$(uuid ${{d}}1) /boot ext4 defaults 0 1"
echo "dm_crypt-0 UUID=$(uuid ${{d}}2) none luks" > $at/etc/crypttab
umount $at
vgchange -an ubuntu-vg
cryptsetup close made
"""
_SCRIPTS = (
    (_THIN, ("thin",)),
    (_ARRAY, ("one", "two", "half")),
    (_BTRFS, ("btrfs",)),
    (_XFS, ("xfs",)),
    (_TWO, ("two_roots",)),
    (_ENCRYPTED, ("encrypted",)),
)
NAMES = tuple(name for _, names in _SCRIPTS for name in names)


def _printf(data: bytes) -> str:
    return "".join(f"\\{byte:03o}" for byte in data)


def make(folder: Path) -> Mapping[str, Drive]:
    """Make all disks; return them by their names."""
    drives = {name: Drive(folder / f"{name}.img", "raw") for name in NAMES}
    for drive in drives.values():
        drive.path.touch()
        os.truncate(drive.path, SIZE)
    places = {name: str(index) for index, name in enumerate(NAMES)}
    secret = {"key_file": _printf(KEY_FILE), "passphrase": _printf(PASSPHRASE)}
    scripts = "".join(text.format(**places, **secret) for text, _ in _SCRIPTS)
    mark = secrets.token_hex(4)
    with Session(tuple(drives.values()), writable=True) as session:
        found = session.gather(
            f"{{\n{_TOOLS}{scripts}\nvgchange -an\nsync\necho {mark}\n}} > log 2>&1"
        )
        assert mark.encode() in found["/log"], found["/log"].decode(errors="replace")
        (folder / "log").write_bytes(found["/log"])
        session.finish()
    return drives
