# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the user may choose."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from v2v.access import Access, parse_access
from v2v.errors import ConfigError
from v2v.keys import Key, parse_keys
from v2v.model import Allocation, BlockDriver, DiskFormat, Firmware, InitramfsMode
from v2v.networks import NetworkMap, parse_network_map
from v2v.output_options import Conflict, CopyMode, OutputOptions, parse_output_options
from v2v.path_maps import PathMap, parse_maps


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose; the fields are the long options of the command line."""

    input_kind: str | None = None  # None: from the source's content
    input_format: DiskFormat | None = None
    system: str | None = None  # name of the guest to take where a file has several
    path_maps: tuple[PathMap, ...] = ()  # where the source host's files are on this host
    access: Access = field(default_factory=Access)  # to the source's host
    allow_running: bool = False  # the guest may be running while its disks are read
    trust_image: bool = False  # images may refer to files outside of the guest's folder
    root: str | None = None  # device of the system to convert, or "first"
    keys: tuple[Key, ...] = ()  # of encrypted volumes
    fsck: bool = True  # check the file systems, before and after
    initramfs: InitramfsMode = InitramfsMode.auto
    virtio_win: Path | None = None  # drivers for Windows; None: VIRTIO_WIN, or the host's own
    block_driver: BlockDriver = BlockDriver.virtio_blk  # of a Windows guest
    guest_code: bool = True  # programs of the guest may run, in the appliance
    firmware: Firmware | None = (
        None  # of the target; None: as the source's, or as the disks are made
    )
    kernel_packages: tuple[Path, ...] = ()  # of one kernel, for a guest without one for KVM
    keep_direct_boot: bool = False  # from a kernel beside the images, as on Xen
    fstrim: bool = True
    networks: NetworkMap = field(default_factory=NetworkMap)
    output: str = "local"
    storage: Path = Path()  # a folder; for libvirt, the name of a pool
    format: DiskFormat = DiskFormat.qcow2
    allocation: Allocation = Allocation.sparse
    name: str | None = None  # None: the source's
    output_options: OutputOptions = field(default_factory=OutputOptions)
    output_connection: str | None = None  # URI of the target's libvirt; None: libvirt chooses
    output_password_file: Path | None = None  # for it; None: the terminal is asked
    create_pool: bool = False  # make a pool that is not there, and start one that is not active
    on_conflict: Conflict = Conflict.fail
    start: bool = False
    autostart: bool = False
    copy: CopyMode = CopyMode.full

    @property
    def in_folder(self) -> bool:
        """Whether the result is files in the folder ``storage``."""
        return self.output in ("local", "qemu")


def chosen(args: argparse.Namespace) -> Options:
    """Return what the arguments of convert or report choose; files of keys are read.

    Raises ConfigError.
    """
    _check_target(args)
    if args.no_guest_code and args.initramfs is InitramfsMode.rebuild:
        raise ConfigError(
            "E-USAGE",
            "--initramfs rebuild: the guest's own tool does that, and --no-guest-code forbids it",
            hint="leave one of the two out; --initramfs auto splices, which runs nothing",
        )
    return Options(
        input_kind=args.input,
        input_format=args.input_format,
        system=args.system,
        path_maps=parse_maps(args.map_path),
        access=parse_access(args.input_option, args.input_password_file, args.input_transport),
        allow_running=args.allow_running,
        trust_image=args.trust_image,
        root=args.root,
        keys=parse_keys(args.key),
        fsck=not args.no_fsck,
        initramfs=args.initramfs,
        virtio_win=args.virtio_win,
        block_driver=args.block_driver,
        guest_code=not args.no_guest_code,
        firmware=args.firmware,
        kernel_packages=tuple(args.kernel_package),
        keep_direct_boot=args.keep_direct_boot,
        fstrim=not args.no_fstrim,
        networks=parse_network_map(args.network, args.bridge, args.mac),
        output=args.output,
        storage=args.output_storage or Path(),
        format=DiskFormat(args.output_format),
        allocation=args.output_allocation,
        name=args.output_name,
        output_options=parse_output_options(args.output, args.output_option),
        output_connection=args.output_connection,
        output_password_file=args.output_password_file,
        create_pool=args.create_pool,
        on_conflict=args.on_conflict,
        start=args.start,
        autostart=args.autostart,
        copy=args.copy,
    )


def _check_target(args: argparse.Namespace) -> None:
    """Raise ConfigError for options that the output has no use for."""
    if args.output == "null" and args.output_storage is not None:
        raise ConfigError("E-USAGE", "-os: a null output has no storage", hint="leave -os out")
    given = {
        "-oc": args.output_connection is not None,
        "-op": args.output_password_file is not None,
        "--create-pool": args.create_pool,
        "--on-conflict": args.on_conflict is not Conflict.fail,
        "--start": args.start,
        "--autostart": args.autostart,
    }
    whole = args.output_format != "qcow2" or args.output_allocation is Allocation.preallocated
    if args.copy is CopyMode.lazy and (args.output == "null" or whole):
        raise ConfigError(
            "E-USAGE",
            "--copy lazy: an image that grows later is a sparse qcow2 one, in a folder or a pool",
            hint="leave -of and -oa out; convert with -o local, libvirt or qemu",
        )
    for option, is_given in given.items():
        if is_given and args.output != "libvirt":
            raise ConfigError(
                "E-USAGE", f"{option}: -o {args.output} has no use for it", hint="-o libvirt has"
            )
