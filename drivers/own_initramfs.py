# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes an initramfs on the host, for a kernel that the guest has no initramfs of.

It is the least that starts a guest whose root is a partition: busybox, the modules of disks and of
the root's file system, and a script. No program of the guest is needed to make it.
"""

from __future__ import annotations

import stat as modes
import struct
from collections.abc import Iterable
from pathlib import Path

from drivers.compression import Compression, CompressionError, compressed, detect, expanded
from drivers.cpio import Entry, archive
from drivers.initramfs import InitramfsError
from drivers.modules import Modules
from drivers.virtio import BLK_BOOT, SCSI_BOOT, stem
from v2v.files import Files

BUSYBOX = Path("/bin/busybox")
# What a host may give a guest beside virtio: a kernel out of a package is to start anywhere.
_DISKS = (*BLK_BOOT, *SCSI_BOOT, "ahci", "ata_piix", "ata_generic")
# ext4, xfs and btrfs ask the kernel for crc32c by a name that modules.dep does not tell.
_CHECKSUMS = ("crc32c", "crc32c_generic", "crc32c_intel", "libcrc32c")
_EXT = ("ext4", "ext3", "ext2")
_ELF_64 = b"\x7fELF\2\1"  # of little endian
_INTERPRETER = 3  # PT_INTERP of elf(5): a program with it is not static
_FOLDERS = ("bin", "dev", "lib", "lib/modules", "proc", "root", "sys")
_INIT = """\
#!/bin/busybox sh
# Written by v2v: mounts the root of a guest that came from Xen without an initramfs.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev && made=yes || mdev -s
exec < /dev/console > /dev/console 2>&1

root= kind=auto flags= access=ro init=/sbin/init
for word in $(cat /proc/cmdline); do
    case $word in
    root=*) root=${word#root=} ;;
    rootfstype=*) kind=${word#rootfstype=} ;;
    rootflags=*) flags=,${word#rootflags=} ;;
    init=*) init=${word#init=} ;;
    ro | rw) access=$word ;;
    esac
done

while read -r module; do
    insmod "$module" 2> /dev/null
done < /modules

find_root() {
    [ -n "$made" ] || mdev -s
    case $root in
    UUID=* | LABEL=*) findfs "$root" 2> /dev/null ;;
    *) [ -b "$root" ] && echo "$root" ;;
    esac
}

tries=0
until device=$(find_root) && [ -n "$device" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ]; then
        echo "ALERT! $root does not exist. Dropping to a shell!"
        sh
        tries=0
    fi
    sleep 1
done
if ! mount -t "$kind" -o "$access$flags" "$device" /root; then
    echo "ALERT! $device does not mount. Dropping to a shell!"
    sh
fi
[ -z "$made" ] || mount --move /dev /root/dev
umount /sys
umount /proc
exec switch_root /root "$init"
"""


def make(files: Files, modules: Modules, filesystem: str) -> bytes:
    """Return an initramfs for a kernel of the guest, whose root is of this type.

    Raises InitramfsError where this host has no static busybox, or a module cannot be read.
    """
    busybox = BUSYBOX.read_bytes() if BUSYBOX.is_file() else b""
    if not _is_static(busybox):
        raise InitramfsError("this host has no static busybox (apt-get install busybox-static)")
    kinds = _EXT if filesystem in _EXT else (filesystem,)
    names = modules.closure((*_CHECKSUMS, *_DISKS, *kinds))
    folder = f"lib/modules/{modules.version}"
    placed = {name: f"{folder}/{stem(modules.paths[name])}" for name in names}
    parents = {str(parent) for path in placed.values() for parent in Path(path).parents}
    folders = sorted({*_FOLDERS, *parents} - {"."})
    listed = "".join(f"/{path}\n" for path in placed.values())
    members: Iterable[Entry] = (
        *(Entry(path, modes.S_IFDIR | 0o755, None) for path in folders),
        Entry("bin/busybox", modes.S_IFREG | 0o755, busybox),
        Entry("init", modes.S_IFREG | 0o755, _INIT.encode()),
        Entry("modules", modes.S_IFREG | 0o644, listed.encode()),
        *(
            Entry(path, modes.S_IFREG | 0o644, _plain(files, modules, name))
            for name, path in placed.items()
        ),
    )
    return compressed(archive(members), Compression.gzip)


def _is_static(program: bytes) -> bool:
    """Tell whether a program of 64 bits needs no library, by its program headers (elf(5))."""
    if not program.startswith(_ELF_64):
        return False
    (start,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    kinds = {program[at : at + 4] for at in range(start, start + size * count, size or 1)}
    return _INTERPRETER.to_bytes(4, "little") not in kinds


def _plain(files: Files, modules: Modules, name: str) -> bytes:
    """Return a module without its compression, which not every busybox knows."""
    path = f"{modules.folder}/{modules.paths[name]}"
    try:
        data = files.read(path)
        kind = detect(data)
        return data if kind is None else expanded(data, kind)
    except (FileNotFoundError, CompressionError) as error:
        raise InitramfsError(f"{path}: {error}") from error
