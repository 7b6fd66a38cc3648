# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the command line takes; options keep virt-v2v's names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from v2v.access import TRANSPORTS
from v2v.model import Allocation, BlockDriver, DiskFormat, Firmware, InitramfsMode
from v2v.output_options import Conflict, CopyMode
from v2v.version import VERSION

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Group: TypeAlias = argparse._ActionsContainer  # a verb's parser, or a titled part of its options

# Of v2v.sources, which takes longer to import than a line of help may.
OUTPUTS = ("local", "libvirt", "qemu", "null")
SOURCE_KINDS = (
    "xl", "xm", "sxp", "xl-json", "xva", "vmx", "ovf", "ova", "vbox", "hyperv", "parallels",
    "libvirt", "disk",
)  # fmt: skip
_USAGE = "%(prog)s [option ...] SOURCE [SOURCE ...]"  # all options would fill the screen


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
        "convert", usage=_USAGE, help="convert a guest",
        description="Convert a guest.", allow_abbrev=False,
    )  # fmt: skip
    _add_conversions(convert)
    convert.add_argument("--strict", action="store_true", help="exit with 3 if there are warnings")
    convert.add_argument(
        "--report", type=_page, metavar="FILE.html", help="write a page of what was done"
    )
    _add_machine(convert)
    _add_talk(convert)
    report = verbs.add_parser(
        "report", usage=_USAGE, help="say what a conversion would do",
        description="Say what a conversion would do. Nothing is written anywhere.",
        allow_abbrev=False,
    )  # fmt: skip
    _add_conversions(report)
    _add_format(report, "text", "json", "html")
    report.add_argument(
        "--source-only", action="store_true",
        help="read the configuration alone; the disks may be absent",
    )  # fmt: skip
    _add_machine(report)
    _add_talk(report)
    _add_batch(verbs)
    _add_others(verbs)
    return top


def _add_conversions(verb: argparse.ArgumentParser) -> None:
    _add_source(verb.add_argument_group("the source"))
    _add_conversion(verb.add_argument_group("the conversion"))
    _add_target(verb.add_argument_group("the target"))


def _add_batch(verbs: Verbs) -> None:
    batch = verbs.add_parser(
        "batch", help="convert many guests by a plan",
        description="Convert the guests of a plan, several at once.", allow_abbrev=False,
    )  # fmt: skip
    batch.add_argument("plan", type=Path, metavar="PLAN.yaml", help="which guests, and how")
    batch.add_argument(
        "--jobs", type=_count, metavar="N",
        help="guests at once (default: the plan's; else by CPUs and memory)",
    )  # fmt: skip
    batch.add_argument(
        "--resume", action="store_true", help="go on with a plan; guests that are done stay so"
    )
    batch.add_argument(
        "--retry", type=_tries, metavar="N",
        help="try a guest that fails so many times more (default: the plan's; else 0)",
    )  # fmt: skip
    batch.add_argument(
        "--dry-run", action="store_true",
        help="say what a batch would do, and what room and time it takes",
    )  # fmt: skip
    batch.add_argument(
        "--report", type=Path, metavar="FILE",
        help="write the result as a page, if FILE ends in .html, or as JSON",
    )  # fmt: skip
    _add_format(batch, "text", "json")
    _add_machine(batch)
    _add_talk(batch)


def _add_others(verbs: Verbs) -> None:
    verify = verbs.add_parser(
        "verify", help="prove that a domain boots",
        description="Boot a libvirt domain on throw-away overlays and collect evidence.",
        allow_abbrev=False,
    )  # fmt: skip
    verify.add_argument(
        "domain", type=Path, metavar="DOMAIN.xml", help="a libvirt domain, as convert leaves it"
    )
    verify.add_argument(
        "--timeout", type=_seconds, default=300.0, metavar="S",
        help="seconds that a guest has to come up (default: 300)",
    )  # fmt: skip
    _add_format(verify, "text", "json", "html")
    _add_machine(verify)
    _add_talk(verify)
    finish = verbs.add_parser(
        "finish", help="copy the rest of a guest that was converted with --copy lazy",
        description="Copy what a guest has in its source, while it runs or not.",
        allow_abbrev=False,
    )  # fmt: skip
    finish.add_argument(
        "domain", metavar="NAME|DOMAIN.xml",
        help="a domain of libvirt's, or the XML or the script that convert left",
    )  # fmt: skip
    _add_connection(finish)
    _add_talk(finish)
    listing = verbs.add_parser(
        "list", help="list the guests of a host",
        description="List the guests of a host that is running.", allow_abbrev=False,
    )  # fmt: skip
    listing.add_argument("address", metavar="URI", help="such as xen+ssh://root@host")
    _add_access(listing)
    listing.add_argument(
        "--format", choices=("text", "csv", "json", "plan"), default="text",
        help="how to print the result (default: text); plan is the skeleton of one for v2v batch",
    )  # fmt: skip
    _add_talk(listing)
    drivers = verbs.add_parser(
        "drivers", help="look into the drivers for Windows",
        description="Print which drivers for which Windows are found.", allow_abbrev=False,
    )  # fmt: skip
    drivers.add_argument("what", choices=("list",), metavar="list", help="what to do")
    _add_medium(drivers)
    _add_format(drivers, "text", "json")
    _add_talk(drivers)


def _add_format(verb: Group, *formats: str) -> None:
    verb.add_argument(
        "--format", choices=formats, default="text",
        help="how to print the result (default: text)",
    )  # fmt: skip


def _add_medium(verb: Group) -> None:
    verb.add_argument(
        "--virtio-win", type=Path, metavar="PATH",
        help="the drivers for Windows guests: virtio-win.iso, or a folder with its content",
    )  # fmt: skip


def _add_source(verb: Group) -> None:
    verb.add_argument(
        "source", nargs="+", metavar="SOURCE",
        help="a configuration, disk images, an address such as xen+ssh://root@host/NAME,"
        " or - for an XVA or OVA on standard input",
    )  # fmt: skip
    _add_access(verb)
    verb.add_argument(
        "--allow-running", action="store_true",
        help="read the disks of a running guest, from snapshots where there can be any",
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


def _add_access(verb: Group) -> None:
    verb.add_argument(
        "-io", "--input-option", action="append", default=[], metavar="KEY=VALUE",
        help="how the source's host is reached: ssh-config=FILE, xen-configs=DIR,"
        " cacert=FILE, thumbprint=SHA256, vddk-libdir=DIR, ...",
    )  # fmt: skip
    verb.add_argument(
        "-it", "--input-transport", choices=TRANSPORTS,
        help="how disks come from vCenter or ESXi: read over https (default), exported by nfc,"
        " or by VMware's library, vddk; ssh goes with ssh:// addresses alone",
    )  # fmt: skip
    verb.add_argument(
        "-ip", "--input-password-file", type=Path, metavar="FILE",
        help="the password for the source's host",
    )  # fmt: skip


def _add_conversion(verb: Group) -> None:
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
        "--firmware", type=Firmware, choices=(Firmware.bios, Firmware.efi),
        help="what starts the target (default: what starts the source)",
    )  # fmt: skip
    verb.add_argument(
        "--kernel-package", type=Path, action="append", default=[], metavar="FILE",
        help="a .deb or .rpm with a kernel, for a guest that has none which runs on KVM",
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
        help="map a network; OUT alone maps all; OUT may be KIND:NAME, as for --mac",
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


def _add_target(verb: Group) -> None:
    verb.add_argument(
        "-o", "--output", choices=OUTPUTS, default="local",
        help="where the guest goes: a folder, libvirt, a folder with a script that starts it,"
        " or nowhere (default: local)",
    )  # fmt: skip
    verb.add_argument(
        "-os", "--output-storage", type=Path, metavar="DIR|POOL",
        help="folder for the result (default: the current one); for libvirt, the storage pool",
    )  # fmt: skip
    verb.add_argument(
        "-of", "--output-format", choices=("qcow2", "raw"), default="qcow2",
        help="format of the images (default: qcow2)",
    )  # fmt: skip
    verb.add_argument(
        "-oa", "--output-allocation", type=Allocation, choices=tuple(Allocation),
        default=Allocation.sparse,
        help="whether images take their whole size at once (default: sparse)",
    )  # fmt: skip
    verb.add_argument("-on", "--output-name", metavar="NAME", help="a new name for the guest")
    verb.add_argument(
        "-oo", "--output-option", action="append", default=[], metavar="KEY[=VALUE]",
        help="of libvirt, volume=NAME: an existing volume for each disk; of qemu,"
        " display=KIND and bridges",
    )  # fmt: skip
    _add_connection(verb)
    verb.add_argument(
        "--create-pool", action="store_true",
        help="make the pool if there is none (-os: a folder), or start it",
    )  # fmt: skip
    verb.add_argument(
        "--on-conflict", type=Conflict, choices=tuple(Conflict), default=Conflict.fail,
        help="what to do with a domain that has the guest's name already (default: fail)",
    )  # fmt: skip
    verb.add_argument(
        "--copy", type=CopyMode, choices=tuple(CopyMode), default=CopyMode.full,
        help="lazy: the guest runs on overlays over its source's disks until v2v finish",
    )  # fmt: skip
    verb.add_argument("--start", action="store_true", help="start the guest in libvirt")
    verb.add_argument(
        "--autostart", action="store_true", help="have libvirt start the guest with its host"
    )


def _add_connection(verb: Group) -> None:
    verb.add_argument(
        "-oc", "--output-connection", metavar="URI",
        help="the target's libvirt, such as qemu+ssh://root@host/system",
    )  # fmt: skip
    verb.add_argument(
        "-op", "--output-password-file", type=Path, metavar="FILE",
        help="the password for the target's libvirt",
    )  # fmt: skip


def _add_machine(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--machine-readable", metavar="TO", nargs="?", const="stream:stdout",
        help="progress as JSON lines, to stream:stdout (default), stream:stderr, fd:N or file:PATH",
    )  # fmt: skip


def _add_talk(verb: Group) -> None:
    verb.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    verb.add_argument(
        "-v", "--verbose", action="count", default=0,
        help="diffs and the domain XML in reports; twice: debugging messages",
    )  # fmt: skip
    verb.add_argument("--no-config", action="store_true", help="take no defaults from v2v.yaml")
    verb.add_argument(
        "--log-file", type=Path, metavar="FILE",
        help="append what is done to this file: stages, programs that are run, calls of libguestfs",
    )  # fmt: skip


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 1000:
        raise argparse.ArgumentTypeError("must be 1 to 1000")
    return count


def _tries(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _page(text: str) -> Path:
    path = Path(text)
    if path.suffix not in (".html", ".htm"):
        raise argparse.ArgumentTypeError("must end in .html")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{path.absolute().parent} is not a folder")
    return path


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 86400:
        raise argparse.ArgumentTypeError("must be more than 0 and less than a day")
    return seconds
