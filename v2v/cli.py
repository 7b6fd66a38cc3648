# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line: arguments in, library calls, text out. Only this module prints errors.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 done with warnings under --strict, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from v2v.errors import BlockedError, ConfigError, Finding, V2VError
from v2v.model import Allocation, BlockDriver, DiskFormat, InitramfsMode
from v2v.version import VERSION

if TYPE_CHECKING:  # the stages are imported when a verb needs them: --help must be quick
    from v2v.observer import Observer
    from v2v.options import Options

DONE, FAILED, USAGE, WARNED, INTERRUPTED = 0, 1, 2, 3, 130
# Of v2v.sources, which takes longer to import than a line of help may.
SOURCE_KINDS = ("xl", "xm", "sxp", "xl-json", "xva", "vmx", "libvirt", "disk")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; options keep virt-v2v's names."""
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
    verify = verbs.add_parser(
        "verify", help="prove that a domain boots",
        description="Boot a libvirt domain on throw-away overlays and collect evidence.",
        allow_abbrev=False,
    )  # fmt: skip
    verify.add_argument("domain", type=Path, metavar="DOMAIN.xml")
    verify.add_argument("--timeout", type=_seconds, default=300.0, metavar="S", help="seconds")
    verify.add_argument("--format", choices=("text", "json"), default="text")
    _add_talk(verify)
    drivers = verbs.add_parser(
        "drivers", help="look into the drivers for Windows",
        description="Print which drivers for which Windows are found.", allow_abbrev=False,
    )  # fmt: skip
    drivers.add_argument("what", choices=("list",), metavar="list")
    _add_medium(drivers)
    drivers.add_argument("--format", choices=("text", "json"), default="text")
    _add_talk(drivers)
    return top


def _add_medium(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--virtio-win", type=Path, metavar="PATH",
        help="virtio-win.iso, or a folder with its content: drivers for Windows guests",
    )  # fmt: skip


def _add_source(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "source", nargs="+", type=Path, metavar="SOURCE", help="a configuration, or disk images"
    )
    verb.add_argument(
        "-i", "--input", choices=SOURCE_KINDS, help="kind of the source (default: from its content)"
    )
    verb.add_argument(
        "-if", "--input-format", type=DiskFormat, choices=tuple(DiskFormat), metavar="FORMAT",
        help="format of the disk images given as SOURCE",
    )  # fmt: skip
    verb.add_argument(
        "--map-path", action="append", default=[], metavar="FROM=TO",
        help="the source host's files below FROM are below TO on this host; repeatable",
    )  # fmt: skip
    verb.add_argument(
        "--trust-image", action="store_true",
        help="let images refer to files outside of the guest's folder",
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    args = parser().parse_args(argv)
    if args.verbose > 1:
        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as at Ctrl-C
    verbs = {"convert": _convert, "report": _report, "verify": _verify, "drivers": _drivers}
    try:
        status = verbs[args.verb](args)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough, as head(1) does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except BlockedError as error:
        _complain(*error.findings)
        return FAILED
    except ConfigError as error:
        _complain(error.finding)
        return USAGE
    except V2VError as error:
        _complain(error.finding)
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("v2v: interrupted\n")
        return INTERRUPTED
    return status


def _complain(*findings: Finding) -> None:
    for finding in findings:
        sys.stderr.write(f"v2v: error: {finding.message} [{finding.code}]\n")
        if finding.hint:
            sys.stderr.write(f"v2v: hint: {finding.hint}\n")


def _options(args: argparse.Namespace) -> Options:
    from v2v.keys import parse_keys
    from v2v.networks import parse_network_map
    from v2v.options import Options
    from v2v.path_maps import parse_maps

    if args.output == "null" and args.output_storage is not None:
        raise ConfigError("E-USAGE", "-os: a null output has no storage", hint="leave -os out")
    if args.no_guest_code and args.initramfs is InitramfsMode.rebuild:
        raise ConfigError(
            "E-USAGE",
            "--initramfs rebuild: the guest's own tool does that, and --no-guest-code forbids it",
            hint="leave one of the two out; --initramfs auto splices, which runs nothing",
        )
    return Options(
        input_kind=args.input,
        input_format=args.input_format,
        path_maps=parse_maps(args.map_path),
        trust_image=args.trust_image,
        root=args.root,
        keys=parse_keys(args.key),
        fsck=not args.no_fsck,
        initramfs=args.initramfs,
        virtio_win=args.virtio_win,
        block_driver=args.block_driver,
        guest_code=not args.no_guest_code,
        fstrim=not args.no_fstrim,
        networks=parse_network_map(args.network, args.bridge, args.mac),
        output=args.output,
        storage=args.output_storage or Path(),
        format=DiskFormat(args.output_format),
        allocation=args.output_allocation,
        name=args.output_name,
    )


def _observer(args: argparse.Namespace) -> Observer:
    from v2v.observer import Observer, Terminal

    return Observer() if args.quiet else Terminal(sys.stderr)


@contextmanager
def _listener(args: argparse.Namespace) -> Iterator[Observer]:
    """Open where --machine-readable says, or talk to the terminal."""
    from v2v.observer import JsonLines

    where = args.machine_readable
    if where is None:
        yield _observer(args)
        return
    kind, _, place = where.partition(":")
    streams: dict[str, TextIO] = {"stdout": sys.stdout, "stderr": sys.stderr}
    if kind == "stream" and place in streams:
        yield JsonLines(streams[place])
    elif kind == "fd" and place.isdigit():
        with os.fdopen(int(place), "w", closefd=False) as stream:
            yield JsonLines(stream)
    elif kind == "file" and place:
        with Path(place).open("w") as stream:
            yield JsonLines(stream)
    else:
        raise ConfigError(
            "E-USAGE",
            f"--machine-readable: {where}: not a place to write to",
            hint="use stream:stdout, stream:stderr, fd:N or file:PATH",
        )


def _convert(args: argparse.Namespace) -> int:
    from v2v.pipeline import convert

    options = _options(args)
    with _listener(args) as observer:
        try:
            report = convert(args.source, options, observer)
        except BlockedError as error:
            for finding in error.findings:
                observer.error(finding)
            raise
        except V2VError as error:
            observer.error(error.finding)
            raise
    if args.machine_readable is None and not args.quiet and report.written:
        sys.stdout.write(f"{report.written[0]}\n")
    return WARNED if args.strict and report.warnings else DONE


def _report(args: argparse.Namespace) -> int:
    from v2v.pipeline import plan
    from v2v.report import report_json
    from v2v.sources import guests

    options = _options(args)
    reports = [
        plan(paths, options, _observer(args), source_only=args.source_only)
        for paths in guests(args.source, args.input)
    ]
    if args.format == "json":
        documents = [report_json(report) for report in reports]
        whole = documents[0] if len(documents) == 1 else documents
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
    else:
        texts = (report.to_text(diffs=args.verbose > 0) for report in reports)
        sys.stdout.write("\n".join(texts))
    return FAILED if any(report.blockers for report in reports) else DONE


def _verify(args: argparse.Namespace) -> int:
    from v2v.proof import describe, evidence_json, verify

    evidence = verify(args.domain, timeout=args.timeout, observer=_observer(args))
    if args.format == "json":
        sys.stdout.write(json.dumps(evidence_json(evidence), indent=2) + "\n")
    else:
        sys.stdout.write(describe(evidence))
    return DONE if evidence.booted else FAILED


def _drivers(args: argparse.Namespace) -> int:
    from drivers.virtio_win import open_media
    from drivers.windows_list import rows

    with open_media(args.virtio_win, os.environ) as media:
        found = [*rows(media)]
    if args.format == "json":
        sys.stdout.write(json.dumps([row.to_json() for row in found], indent=2) + "\n")
    else:
        sys.stdout.write("".join(row.to_text() for row in found))
    return DONE
