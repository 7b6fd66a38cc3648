# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a dry run says of the target before any guest is looked into."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2v.arguments import parser
from v2v.errors import ConfigError, Finding
from v2v.job import Findings, prepared
from v2v.model import DiskFormat
from v2v.observer import Progress
from v2v.options import Options, chosen
from v2v.output_options import CopyMode
from v2v.run import run

MIB = 1 << 20


def looked_at(source: Path, options: Options) -> tuple[list[Finding], list[Finding]]:
    """Return the warnings and the blockers of a disk that becomes a guest."""
    found = Findings(Progress(None))
    with prepared(source, options, found, snapshots=False):
        return found.warnings, found.blockers


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "web.img"
    path.write_bytes(bytes(MIB))
    return path


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize("output", ["local", "qemu"])
def test_a_lazy_copy_is_a_warning_to_leave_the_source_alone(
    source: Path, tmp_path: Path, output: str
) -> None:
    options = Options(output=output, storage=tmp_path, copy=CopyMode.lazy)
    warnings, blockers = looked_at(source, options)
    assert (codes(warnings), blockers) == (["W-LAZY"], [])
    assert "v2v finish" in (warnings[0].hint or "")


def test_a_disk_that_no_overlay_can_name_is_a_blocker(source: Path, tmp_path: Path) -> None:
    vhd = tmp_path / "web.vhd"
    run("qemu-img", "convert", "-f", "raw", "-O", "vpc", source, vhd)
    options = Options(storage=tmp_path, copy=CopyMode.lazy)
    warnings, blockers = looked_at(vhd, options)
    assert (warnings, codes(blockers)) == ([], ["E-LAZY"])
    assert blockers[0].message.endswith(
        "images of format vpc cannot be named in an overlay, so the guest cannot run before it is"
        " copied"
    )


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["-o", "null", "--copy", "lazy"], "--copy lazy: an image that grows later"),
        (["-of", "raw", "--copy", "lazy"], "--copy lazy: an image that grows later"),
        (["-oa", "preallocated", "--copy", "lazy"], "--copy lazy: an image that grows later"),
        (["-o", "null", "-os", "/srv"], "-os: a null output has no storage"),
        (["--start"], "--start: -o local has no use for it"),
        (["-o", "qemu", "--autostart"], "--autostart: -o qemu has no use for it"),
        (["-oc", "qemu:///system"], "-oc: -o local has no use for it"),
        (["-op", "/password"], "-op: -o local has no use for it"),
        (["--create-pool"], "--create-pool: -o local has no use for it"),
        (["--on-conflict", "replace"], "--on-conflict: -o local has no use for it"),
    ],
)
def test_options_that_a_target_cannot_have_are_refused(words: list[str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        chosen(parser().parse_args(["convert", "web.cfg", *words]))


def test_all_that_is_for_libvirt_arrives() -> None:
    words = ["-o", "libvirt", "-oc", "test:///default", "-os", "pool", "-op", "/p", "--create-pool"]
    words += ["--on-conflict", "rename", "--start", "--autostart", "--copy", "lazy"]
    options = chosen(parser().parse_args(["convert", "web.cfg", *words]))
    assert (options.output_connection, options.storage) == ("test:///default", Path("pool"))
    assert options.output_password_file == Path("/p")
    assert (options.create_pool, options.start, options.autostart) == (True, True, True)
    assert (options.on_conflict, options.copy) == ("rename", "lazy")
    assert options.format is DiskFormat.qcow2
