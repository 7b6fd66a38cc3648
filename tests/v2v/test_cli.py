# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line without an appliance: reports of configurations, formats, exit statuses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import v2v
from v2v import arguments
from v2v.cli import main
from v2v.errors import Finding
from v2v.observer import (
    Copied,
    Event,
    Failed,
    JsonLines,
    Observer,
    Progress,
    Stage,
    Terminal,
    Warned,
)
from v2v.sources import SOURCES

ROOT = Path(__file__).parent.parent.parent
XL = ROOT / "fixtures/xl"
CONFIG = """name = "web"
uuid = "5a1e4f0c-7c0b-4e55-9d3a-0a6c2f6b8e11"
memory = 512
vcpus = 2
bootloader = "pygrub"
disk = [ 'absent.img,raw,xvda,rw' ]
vif = [ 'mac=00:16:3e:5a:1e:01, bridge=xenbr0' ]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "web.cfg").write_text(CONFIG)
    return tmp_path / "web.cfg"


def test_a_configuration_is_reported_without_its_disks(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--source-only", "-q", str(config)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("Source: web (xen, read as xl)\n  2 vCPU, 512.0 MiB")
    assert "NIC 00:16:3e:5a:1e:01 on bridge xenbr0" in said.out


def test_the_json_report_has_the_keys_that_readers_count_on(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--source-only", "--format", "json", "-q", str(config)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == 1
    assert report["v2v"] == v2v.__version__
    assert report["dry_run"] is True
    assert report["source"]["name"] == "web"
    assert report["source"]["memory_bytes"] == 512 << 20
    assert report["source"]["boot"]["method"] == "pygrub"
    assert report["guest"] is None
    assert report["plan"] == {"changes": [], "warnings": []}
    assert report["blockers"] == []
    assert report["target"] is None
    assert set(report["timing"]) == {"source"}


def test_networks_are_mapped_in_the_report(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["report", "--source-only", "-q", str(config), "-b", "xenbr0:br7"]
    assert main([*argv, "--mac", "00:00:00:00:00:01:bridge:br1"]) == 0
    said = capsys.readouterr().out
    assert "on bridge br7" in said
    assert "W-MAC-UNUSED" in said


def test_several_configurations_are_several_reports(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = config.with_name("other.cfg")
    other.write_text(CONFIG.replace('"web"', '"other"'))
    argv = ["report", "--source-only", "-q", str(config), str(other)]
    assert main(argv) == 0
    assert capsys.readouterr().out.count("Source: ") == 2
    assert main([*argv, "--format", "json"]) == 0
    names = [report["source"]["name"] for report in json.loads(capsys.readouterr().out)]
    assert names == ["web", "other"]


def test_errors_are_json_lines_for_machines(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lines"
    argv = ["convert", str(config), "-os", str(tmp_path), f"--machine-readable=file:{out}"]
    assert main(argv) == 1
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["type"] for line in lines] == ["stage", "stage", "error"]
    assert lines[-1]["code"] == "E-DISK-MISSING"
    assert main([*argv[:-1], "--machine-readable"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1])["code"] == "E-DISK-MISSING"
    assert "v2v: error: " in said.err


def test_json_lines_go_to_a_file_descriptor(config: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    argv = ["convert", str(config), "-os", str(tmp_path), f"--machine-readable=fd:{writer}"]
    assert main(argv) == 1
    os.close(writer)
    with os.fdopen(reader) as lines:
        assert json.loads(lines.readline())["type"] == "stage"


def test_no_source_at_all_is_an_error() -> None:
    with pytest.raises(v2v.SourceError, match="no source is given"):
        v2v.plan([])


def test_a_reader_that_goes_away_is_no_traceback(config: Path) -> None:
    command = f"{sys.executable} -m v2v report --source-only -q '{config}' | true"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stderr == ""


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"v2v {v2v.__version__}\n"


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["convert"],
        ["verify", "x", "--timeout", "0"],
        ["verify", "x", "--timeout", "x"],
        ["report", "x", "--form", "json"],  # no abbreviations: they break when options come
    ],
)
def test_wrong_usage_exits_with_2(argv: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argv)


def test_verify_of_an_absent_domain_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "-q", str(tmp_path / "none.xml")]) == 1
    assert "E-DOMAIN-XML" in capsys.readouterr().err


def test_help_is_quick_as_it_loads_little() -> None:
    code = (
        "import sys; from contextlib import suppress; from v2v.cli import main\n"
        "with suppress(SystemExit): main(['convert', '--help'])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    argv = [sys.executable, "-S", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    loaded = done.stderr.split()
    assert done.stdout.startswith("usage: v2v convert ")
    assert {name.split(".")[0] for name in loaded} - {*sys.stdlib_module_names, "__main__"} == {
        "v2v"
    }
    assert not {"v2v.pipeline", "v2v.sources", "v2v.report", "v2v.run", "v2v.config"} & set(loaded)
    assert not {"asyncio", "http.client", "ssl", "subprocess", "xml"} & set(loaded)


def test_a_terminal_gets_a_line_for_each_stage_and_a_bar_only_if_it_is_one() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.see(Stage("copy", "Copying"))
    terminal.see(Copied("disk", 1, 2))
    terminal.see(Warned(Finding("W-X", "something")))
    assert stream.getvalue() == "[   0.0] Copying\nv2v: warning: something [W-X]\n"


def test_a_bar_is_drawn_on_a_terminal() -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Tty()
    terminal = Terminal(stream)
    terminal.see(Copied("web-sda", 0, 1 << 30))
    terminal.see(Copied("web-sda", 1 << 29, 1 << 30))
    terminal.see(Copied("web-sda", 1 << 30, 1 << 30))
    assert "web-sda" in stream.getvalue()
    assert "1.00G" in stream.getvalue()


def test_json_lines_hold_all_events() -> None:
    stream = io.StringIO()
    lines = JsonLines(stream)
    lines.see(Stage("copy", "Copying"))
    lines.see(Warned(Finding("W-X", "something", "do")))
    lines.see(Failed(Finding("E-X", "bad")))
    lines.see(Copied("disk", 1, 2))
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["type"] for event in events] == ["stage", "warning", "error", "progress"]
    assert events[1]["hint"] == "do"
    assert (events[3]["done"], events[3]["total"]) == (1, 2)


def test_progress_adds_up_stages_and_passes_events_on() -> None:
    heard: list[Event] = []

    class Ear(Observer):
        def see(self, event: Event) -> None:
            heard.append(event)

    progress = Progress(Ear())
    with progress.running():
        progress.stage("a", "")
        progress.stage("b", "")
        progress.stage("a", "")
        progress.copied("disk", 1, 2)
    assert heard == [Stage("a", ""), Stage("b", ""), Stage("a", ""), Copied("disk", 1, 2)]
    assert list(progress.seconds) == ["a", "b"]


def test_every_kind_of_source_can_be_named() -> None:
    assert tuple(source.name for source in SOURCES) == arguments.SOURCE_KINDS


@pytest.mark.parametrize(("suffix", "start"), [(".html", "<!DOCTYPE html>"), (".json", "{")])
def test_a_batch_is_reported_as_a_page_or_as_json(
    suffix: str, start: str, config: Path, tmp_path: Path
) -> None:
    plan, place = tmp_path / "plan.yaml", tmp_path / f"result{suffix}"
    plan.write_text(f"guests:\n- source: {config}\n  output_storage: {tmp_path}\n")
    assert main(["batch", "-q", str(plan), "--dry-run", "--report", str(place)]) == 1
    page = place.read_text()
    assert page.startswith(start)
    assert "E-DISK-MISSING" in page


def test_a_page_is_written_of_a_conversion_that_failed(config: Path, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    assert main(["convert", "-q", str(config), "-os", str(tmp_path), "--report", str(place)]) == 1
    assert "E-DISK-MISSING" in place.read_text()


def test_a_page_has_to_be_html_in_a_folder_that_is_there(config: Path, tmp_path: Path) -> None:
    for place in ("page.pdf", str(tmp_path / "absent" / "page.html")):
        with pytest.raises(SystemExit, match="2"):
            main(["convert", str(config), "--report", place])


def test_reports_are_pages_and_lines_too(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["report", "-q", "--source-only", str(config)]
    assert main([*argv, "--format", "html"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")
    assert main([*argv, "--machine-readable"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["stage", "report"]
    assert lines[1]["report"]["schema"] == 1
