# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the command line takes; options keep virt-v2v's names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from v2v.model import Allocation, BlockDriver, DiskFormat, InitramfsMode
from v2v.version import VERSION

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Of v2v.sources, which takes longer to import than a line of help may.
SOURCE_KINDS = ("xl", "xm", "sxp", "xl-json", "xva", "vmx", "vbox", "libvirt", "disk")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="v2v",
        description="Convert virtual machines from Xen and VMware to KVM.",
        allow_abbrev=False,
    )
    top.add_argument("-V", "--version", action="version", version=f"v2v {VERSION}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    convert = verbs.add_parser(
        "convert", help="convert a guest", description="Convert a guest.", allow_abbrev=False
    )
    _add_source(convert)
    _add_conversion(convert)
    _add_target(convert)
    convert.add_argument("--strict", action="store_true", help="exit with 3 if there are warnings")
    convert.add_argument(
        "--machine-readable", metavar="TO", nargs="?", const="stream:stdout",
        help="progress as JSON lines, to stream:stdout (default), stream:stderr, fd:N or file:PATH",
    )  # fmt: skip
    _add_talk(convert)
    report = verbs.add_parser(
        "report", help="say what a conversion would do",
        description="Say what a conversion would do. Nothing is written anywhere.",
        allow_abbrev=False,
    )  # fmt: skip
    _add_source(report)
    _add_conversion(report)
    _add_target(report)
    report.add_argument("--format", choices=("text", "json"), default="text")
    report.add_argument(
        "--source-only", action="store_true",
        help="read the configuration alone; the disks may be absent",
    )  # fmt: skip
    _add_talk(report)
    _add_others(verbs)
    return top


def _add_others(verbs: Verbs) -> None:
    verify = verbs.add_parser(
        "verify", help="prove that a domain boots",
        description="Boot a libvirt domain on throw-away overlays and collect evidence.",
        allow_abbrev=False,
    )  # fmt: skip
    verify.add_argument("domain", type=Path, metavar="DOMAIN.xml")
    verify.add_argument("--timeout", type=_seconds, default=300.0, metavar="S", help="seconds")
    verify.add_argument("--format", choices=("text", "json"), default="text")
    _add_talk(verify)
    listing = verbs.add_parser(
        "list", help="list the guests of a host",
        description="List the guests of a host that is running.", allow_abbrev=False,
    )  # fmt: skip
    listing.add_argument("address", metavar="URI", help="such as xen+ssh://root@host")
    _add_access(listing)
    listing.add_argument(
        "--format", choices=("text", "csv", "json", "plan"), default="text",
        help="plan: the skeleton of a plan for v2v batch",
    )  # fmt: skip
    _add_talk(listing)
    drivers = verbs.add_parser(
        "drivers", help="look into the drivers for Windows",
        description="Print which drivers for which Windows are found.", allow_abbrev=False,
    )  # fmt: skip
    drivers.add_argument("what", choices=("list",), metavar="list")
    _add_medium(drivers)
    drivers.add_argument("--format", choices=("text", "json"), default="text")
    _add_talk(drivers)


def _add_medium(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--virtio-win", type=Path, metavar="PATH",
        help="virtio-win.iso, or a folder with its content: drivers for Windows guests",
    )  # fmt: skip


def _add_source(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "source", nargs="+", metavar="SOURCE",
        help="a configuration, disk images, an address such as xen+ssh://root@host/NAME,"
        " or - for an XVA on standard input",
    )  # fmt: skip
    _add_access(verb)
    verb.add_argument(
        "--allow-running", action="store_true",
        help="read the disks of a running guest, from LVM snapshots where there can be any",
    )  # fmt: skip
    verb.add_argument(
        "-i", "--input", choices=SOURCE_KINDS, help="kind of the source (default: from its content)"
    )
    verb.add_argument(
        "-if", "--input-format", type=DiskFormat, choices=tuple(DiskFormat), metavar="FORMAT",
        help="format of the disk images given as SOURCE",
    )  # fmt: skip
    verb.add_argument(
        "--system", metavar="NAME", help="the guest to take where the source holds several"
    )
    verb.add_argument(
        "--map-path", action="append", default=[], metavar="FROM=TO",
        help="the source host's files below FROM are below TO on this host; repeatable",
    )  # fmt: skip
    verb.add_argument(
        "--trust-image", action="store_true",
        help="let images refer to files outside of the guest's folder",
    )  # fmt: skip


def _add_access(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "-io", "--input-option", action="append", default=[], metavar="KEY=VALUE",
        help="how the source's host is reached: ssh-config=FILE, xen-configs=DIR,"
        " cacert=FILE, thumbprint=SHA256",
    )  # fmt: skip
    verb.add_argument(
        "-ip", "--input-password-file", type=Path, metavar="FILE",
        help="the password for the source's host",
    )  # fmt: skip


def _add_conversion(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--root", metavar="DEVICE", help="the system to convert where there are several, or 'first'"
    )
    verb.add_argument(
        "--key", action="append", default=[], metavar="ID:key:STRING|ID:file:PATH",
        help="a key of an encrypted volume (LUKS, BitLocker); ID is its device, its UUID, or 'all'",
    )  # fmt: skip
    verb.add_argument(
        "--no-fsck", action="store_true", help="do not check the guest's file systems"
    )
    verb.add_argument(
        "--initramfs", type=InitramfsMode, choices=tuple(InitramfsMode),
        default=InitramfsMode.auto, help="how drivers get into the initramfs (default: auto)",
    )  # fmt: skip
    _add_medium(verb)
    verb.add_argument(
        "--block-driver", type=BlockDriver, choices=tuple(BlockDriver),
        default=BlockDriver.virtio_blk,
        help="kind of disk for Windows guests (default: virtio-blk)",
    )  # fmt: skip
    verb.add_argument(
        "--no-guest-code", action="store_true",
        help="run no program of the guest; what needs one is an error",
    )  # fmt: skip
    verb.add_argument(
        "--keep-direct-boot", action="store_true",
        help="start the guest from its old host's kernel, put beside the images, without a loader",
    )  # fmt: skip
    verb.add_argument(
        "--no-fstrim", action="store_true", help="copy the unused blocks of file systems too"
    )
    verb.add_argument(
        "-n", "--network", action="append", default=[], metavar="IN:OUT",
        help="map a network; OUT alone maps all",
    )  # fmt: skip
    verb.add_argument(
        "-b", "--bridge", action="append", default=[], metavar="IN:OUT",
        help="map a bridge; OUT alone maps all",
    )  # fmt: skip
    verb.add_argument(
        "--mac", action="append", default=[], metavar="MAC:KIND:OUT",
        help="connect the NIC with this MAC to a network or a bridge,"
        " or give it an address: MAC:ip:ADDR[,GW[,LEN[,NS...]]]",
    )  # fmt: skip


def _add_target(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-o", "--output", choices=("local", "null"), default="local")
    verb.add_argument(
        "-os", "--output-storage", type=Path, metavar="DIR",
        help="folder for the result (default: the current one)",
    )  # fmt: skip
    verb.add_argument(
        "-of", "--output-format", choices=("qcow2", "raw"), default="qcow2",
        help="format of the images (default: qcow2)",
    )  # fmt: skip
    verb.add_argument(
        "-oa", "--output-allocation", type=Allocation, choices=tuple(Allocation),
        default=Allocation.sparse,
    )  # fmt: skip
    verb.add_argument("-on", "--output-name", metavar="NAME", help="a new name for the guest")


def _add_talk(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    verb.add_argument(
        "-v", "--verbose", action="count", default=0, help="diffs in reports; twice: debugging"
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 86400:
        raise argparse.ArgumentTypeError("must be more than 0 and less than a day")
    return seconds
