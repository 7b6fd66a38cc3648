# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is installed from a wheel: all of the program, and what stands beside it.

No guest is booted, but pip takes its time. Libraries come from the distribution where it has them.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from fixtures.build import guest
from tests.manual import ROOT, written
from v2v.version import VERSION

pytestmark = pytest.mark.guest
_DATA = ("v2v/py.typed", "v2v/disks/nbdkit_plugin.py", "v2v/templates/report.html",
         "v2v/templates/report.css", "v2v/templates/report.js")  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a clean checkout and return a virtual environment that has it."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    names = _said("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard")
    for name in names.splitlines():
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_bytes((ROOT / name).read_bytes())
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    _said(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, checkout)
    (wheel,) = folder.glob("v2v-*.whl")
    place = folder / "venv"
    venv.create(place, system_site_packages=True, with_pip=True)
    _said(place / "bin/python", *pip[1:], "install", wheel)
    return place


def _said(*argv: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=cwd, timeout=300
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_runs_outside_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    program = installed / "bin/v2v"
    assert _said(program, "--version", cwd=tmp_path) == f"v2v {VERSION}\n"
    source = guest("xen-web") / "xen-web.cfg"
    said = _said(program, "report", "-q", "--source-only", "--format", "html", source, cwd=tmp_path)
    assert said.startswith("<!DOCTYPE html>")


def test_all_modules_and_data_are_there(installed: Path, tmp_path: Path) -> None:
    (site,) = installed.glob("lib/python3*/site-packages")
    modules = {
        str(path.relative_to(ROOT))
        for package in ("v2v", "converters", "drivers")
        for path in (ROOT / package).rglob("*.py")
    }
    assert {name for name in (*modules, *_DATA) if not (site / name).is_file()} == set()
    assert not (site / "tests").exists()
    assert not (site / "fixtures").exists()


def test_manual_pages_and_completions_are_where_they_are_looked_for(installed: Path) -> None:
    homes = {".1": "man/man1", "v2v": "bash-completion/completions", "_v2v": "zsh/site-functions"}
    for path, text in written().items():
        home = homes.get(path.suffix or path.name)
        assert home is not None, path
        assert (installed / "share" / home / path.name).read_text() == text
