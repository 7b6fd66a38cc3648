# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line: arguments in, library calls, text out. Only this module prints errors.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 done with warnings under --strict, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from v2v.arguments import parser
from v2v.cancellation import Cancellation, heeding
from v2v.errors import (
    BlockedError,
    CancelledError,
    ConfigError,
    Finding,
    PlanError,
    TargetError,
    V2VError,
)
from v2v.log_file import logged

if TYPE_CHECKING:  # the stages are imported when a verb needs them: --help must be quick
    from v2v.batch.progress import Audience
    from v2v.observer import Observer

DONE, FAILED, USAGE, WARNED, INTERRUPTED = 0, 1, 2, 3, 130
_STDOUT = "stream:stdout"  # where lines for programs leave no room for people's


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    words = sys.argv[1:] if argv is None else argv
    args = parser().parse_args(words)
    verbs = {
        "convert": _convert,
        "report": _report,
        "batch": _batch,
        "verify": _verify,
        "finish": _finish,
        "drivers": _drivers,
        "list": _list,
    }
    try:
        args = _configured(args, words)
        with (
            logged(args.verb, args.log_file, to_stderr=args.verbose > 1),
            _signals() as cancellation,
            heeding(cancellation),
        ):
            status = verbs[args.verb](args)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough, as head(1) does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except BlockedError as error:
        _complain(*error.findings)
        return FAILED
    except PlanError as error:
        _complain(*error.findings)
        return USAGE
    except ConfigError as error:
        _complain(error.finding)
        return USAGE
    except (KeyboardInterrupt, CancelledError):
        sys.stderr.write("v2v: interrupted\n")
        return INTERRUPTED
    except V2VError as error:
        _complain(error.finding)
        return FAILED
    return status


def _configured(args: argparse.Namespace, words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments with the defaults of v2v.yaml. Raises PlanError."""
    from v2v.config import completed

    if args.no_config:
        return args
    return parser().parse_args(completed(words, args.verb, os.environ))


@contextmanager
def _signals() -> Iterator[Cancellation]:
    """Let SIGINT and SIGTERM end the work, also where it waits for the appliance.

    Python runs a handler when a call into a library has returned; so what the call waits for is
    ended by a thread that hears of the signal at once.
    """
    cancellation = Cancellation()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def listen() -> None:
        if os.read(reader, 1):
            cancellation.cancel()

    listener = threading.Thread(target=listen, name="v2v-signals", daemon=True)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as at Ctrl-C
    others = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    listener.start()
    try:
        yield cancellation
    finally:
        signal.set_wakeup_fd(others)
        signal.signal(signal.SIGTERM, before)
        os.close(writer)
        listener.join()
        os.close(reader)


def _complain(*findings: Finding) -> None:
    for finding in findings:
        sys.stderr.write(f"v2v: error: {finding.message} [{finding.code}]\n")
        if finding.hint:
            sys.stderr.write(f"v2v: hint: {finding.hint}\n")


def _observer(args: argparse.Namespace) -> Observer:
    from v2v.observer import Observer, Terminal

    return Observer() if args.quiet else Terminal(sys.stderr)


@contextmanager
def _listener(args: argparse.Namespace) -> Iterator[Observer]:
    """Talk to where --machine-readable says, or to the terminal; errors are told there too."""
    from v2v.observer import Failed, JsonLines

    with ExitStack() as stack:
        if args.machine_readable is None:
            observer = _observer(args)
        else:
            observer = JsonLines(stack.enter_context(_stream(args.machine_readable)))
        try:
            yield observer
        except BlockedError as error:
            for finding in error.findings:
                observer.see(Failed(finding))
            raise
        except V2VError as error:
            observer.see(Failed(error.finding))
            raise


@contextmanager
def _stream(where: str) -> Iterator[TextIO]:
    """Open what --machine-readable names."""
    kind, _, place = where.partition(":")
    streams: dict[str, TextIO] = {"stdout": sys.stdout, "stderr": sys.stderr}
    if kind == "stream" and place in streams:
        yield streams[place]
    elif kind == "fd" and place.isdigit():
        with os.fdopen(int(place), "w", closefd=False) as stream:
            yield stream
    elif kind == "file" and place:
        with Path(place).open("w") as stream:
            yield stream
    else:
        raise ConfigError(
            "E-USAGE",
            f"--machine-readable: {where}: not a place to write to",
            hint="use stream:stdout, stream:stderr, fd:N or file:PATH",
        )


def _hand_over(observer: Observer, kind: str, document: dict[str, object]) -> None:
    """Give a program what came out, as the last of its lines."""
    from v2v.observer import JsonLines

    if isinstance(observer, JsonLines):
        observer.emit(kind, **{kind: document})


def _convert(args: argparse.Namespace) -> int:
    from v2v.options import chosen
    from v2v.pipeline import convert
    from v2v.report import report_json

    options = chosen(args)
    with _listener(args) as observer, _page(args, options.name or args.source[0]) as show:
        report = convert(args.source, options, observer)
        document = report_json(report)
        _hand_over(observer, "report", document)
        show(document)
    if args.machine_readable is None and not args.quiet and report.written:
        sys.stdout.write(f"{report.written[0]}\n")
    return WARNED if args.strict and report.warnings else DONE


@contextmanager
def _page(args: argparse.Namespace, name: str) -> Iterator[Callable[[dict[str, object]], None]]:
    """Yield what writes the page that --report names; it gets one after an error too."""
    place: Path | None = args.report
    if place is None:
        yield lambda document: None
        return
    from v2v.html_report import failure_page, report_page
    from v2v.report import finding_json

    _save(place, "", "a")  # that it cannot be written is told before the work
    try:
        yield lambda document: _save(place, report_page([document]))
    except BlockedError as error:
        _save(place, failure_page(name, [finding_json(each) for each in error.findings]))
        raise
    except V2VError as error:
        _save(place, failure_page(name, [finding_json(error.finding)]))
        raise


def _batch(args: argparse.Namespace) -> int:
    from v2v.batch.batch import convert_all, report_all
    from v2v.batch.result import result_json
    from v2v.html_report import batch_page

    if args.report is not None:
        _save(args.report, "", "a")  # that it cannot be written is told before hours of work
    with _progress(args) as progress:
        result = (
            report_all(args.plan, jobs=args.jobs, progress=progress)
            if args.dry_run
            else convert_all(
                args.plan, jobs=args.jobs, retry=args.retry, resume=args.resume, progress=progress
            )
        )
    if args.report is not None:
        is_page = args.report.suffix in (".html", ".htm")
        _save(args.report, batch_page(result_json(result)) if is_page else result.to_json())
    if args.format == "json":
        sys.stdout.write(result.to_json())
    elif args.machine_readable is None and not args.quiet:
        sys.stdout.write(result.to_text())
    if result.interrupted:
        raise KeyboardInterrupt
    if not result.is_done:
        return FAILED
    return WARNED if result.is_warned else DONE


def _save(place: Path, text: str, mode: str = "w") -> None:
    try:
        with place.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise TargetError("E-TARGET-WRITE", f"{place}: {error.strerror}") from error


@contextmanager
def _progress(args: argparse.Namespace) -> Iterator[Audience]:
    """Talk where a batch is to talk."""
    from v2v.batch.progress import Bars, Errors, JsonProgress, Lines

    if args.machine_readable is not None:
        with _stream(args.machine_readable) as stream:
            yield JsonProgress(stream)
    elif args.quiet:
        yield Errors(sys.stderr)
    else:
        yield (Bars if sys.stderr.isatty() else Lines)(sys.stderr)


def _report(args: argparse.Namespace) -> int:
    from v2v.options import chosen
    from v2v.pipeline import plan
    from v2v.report import report_json
    from v2v.sources import guests

    options = chosen(args)
    reports = []
    with _listener(args) as observer:
        for paths in guests(args.source, args.input):
            report = plan(paths, options, observer, source_only=args.source_only)
            _hand_over(observer, "report", report_json(report))
            reports.append(report)
    documents = [report_json(report) for report in reports]
    if args.machine_readable == _STDOUT:
        pass
    elif args.format == "json":
        whole = documents[0] if len(documents) == 1 else documents
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
    elif args.format == "html":
        from v2v.html_report import report_page

        sys.stdout.write(report_page(documents))
    else:
        texts = (report.to_text(diffs=args.verbose > 0) for report in reports)
        sys.stdout.write("\n".join(texts))
    return FAILED if any(report.blockers for report in reports) else DONE


def _verify(args: argparse.Namespace) -> int:
    from v2v.proof import describe, evidence_json, verify

    with _listener(args) as observer:
        evidence = verify(args.domain, timeout=args.timeout, observer=observer)
        _hand_over(observer, "evidence", evidence_json(evidence))
    if args.machine_readable == _STDOUT:
        pass
    elif args.format == "json":
        sys.stdout.write(json.dumps(evidence_json(evidence), indent=2) + "\n")
    elif args.format == "html":
        from v2v.html_report import evidence_page
        from v2v.report import read_report

        beside = read_report(args.domain.with_suffix(".report.json"))
        sys.stdout.write(evidence_page(evidence_json(evidence), beside))
    else:
        sys.stdout.write(describe(evidence))
    return DONE if evidence.booted else FAILED


def _finish(args: argparse.Namespace) -> int:
    from v2v.finishing import finish

    connection, password = args.output_connection, args.output_password_file
    done = finish(args.domain, connection, password, _observer(args))
    if not args.quiet:
        sys.stdout.write("".join(f"{image}\n" for image in done))
    return DONE


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


def _list(args: argparse.Namespace) -> int:
    from v2v.access import parse_access
    from v2v.listing import to_csv, to_json, to_plan, to_text
    from v2v.sources import listed

    found, findings = listed(
        args.address,
        parse_access(args.input_option, args.input_password_file, args.input_transport),
    )
    for finding in findings:
        sys.stderr.write(f"v2v: warning: {finding.message} [{finding.code}]\n")
    if args.format == "text":
        sys.stdout.write(to_text(found))
    else:
        shape = {"csv": to_csv, "json": to_json, "plan": to_plan}[args.format]
        sys.stdout.write(shape(found, args.address))
    return DONE
