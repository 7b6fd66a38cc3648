# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scripts of -o qemu: fixtures/scripts/NAME.sh, rewritten by --regenerate, and what they start."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.conftest import Golden
from v2v.domain import Domain
from v2v.errors import ConfigError, TargetError
from v2v.model import DiskFormat
from v2v.options import Options
from v2v.output_options import OutputOptions, Screen, parse_output_options
from v2v.run import run
from v2v.targets import open_target
from v2v.targets.qemu_script import script

FIXTURES = Path(__file__).parents[3] / "fixtures"
SCRIPTS = FIXTURES / "scripts"
DOMAINS = ("esx-app", "old-ide-on-pc", "scsi", "secure-boot", "windows-11", "xen-web")
FOLDER = Path("/srv/kvm")
# Stands for QEMU: it refuses KVM, and writes down what it is given, one word a line.
QEMU = """\
#!/bin/sh
case "$*" in *accel=kvm*) exit 1 ;; esac
for word; do printf '%s\\n' "$word"; done > words
"""


def domain(name: str) -> str:
    return (FIXTURES / "domains" / f"{name}.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_becomes_a_script(name: str, golden: Golden) -> None:
    golden(SCRIPTS / f"{name}.sh", script(domain(name), FOLDER, OutputOptions()))


def test_every_expected_script_has_its_domain() -> None:
    assert sorted(path.stem for path in SCRIPTS.glob("*.sh")) == sorted(DOMAINS)


@pytest.mark.parametrize("name", DOMAINS)
def test_shellcheck_finds_nothing(name: str) -> None:
    run("shellcheck", "--shell=sh", SCRIPTS / f"{name}.sh")


def started(folder: Path, text: str, *options: str) -> list[str]:
    """Run a script from another folder, with a stand-in for QEMU; return the words it got."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "qemu-system-x86_64").write_text(QEMU)
    (programs / "qemu-system-x86_64").chmod(0o755)
    guest = folder / "it's a, $HOME"
    guest.mkdir()
    (guest / "web.sh").write_text(text)
    run("env", f"PATH={programs}:{os.environ['PATH']}", "sh", guest / "web.sh", *options)
    return (guest / "words").read_text().splitlines()


def test_names_reach_qemu_as_they_are(tmp_path: Path) -> None:
    odd = "it's, `id` $HOME"
    text = domain("xen-web").replace("xen-web", odd)
    words = started(tmp_path, script(text, FOLDER, OutputOptions()))
    named = odd.replace(",", ",,")
    assert words[words.index("-name") + 1] == f"guest={named}"
    assert any(f"file.filename={named}-0" in word for word in words)
    assert words[words.index("-accel") + 1] == "tcg"
    assert words[words.index("-cpu") + 1] == "max,la57=off"


def test_options_of_the_user_come_last(tmp_path: Path) -> None:
    words = started(tmp_path, script(domain("xen-web"), FOLDER, OutputOptions()), "-display", "a b")
    assert words[-2:] == ["-display", "a b"]


def test_variables_of_the_firmware_are_copied_once(tmp_path: Path) -> None:
    text = script(domain("uefi"), FOLDER, OutputOptions())
    words = started(tmp_path, text)
    assert "file.filename=uefi-vars.fd" in " ".join(words)
    variables = tmp_path / "it's a, $HOME" / "uefi-vars.fd"
    assert variables.stat().st_size > 64 * 1024
    variables.write_bytes(b"the guest's own")
    path = f"PATH={tmp_path / 'bin'}:{os.environ['PATH']}"
    run("env", path, "sh", variables.parent / "web.sh")
    assert variables.read_bytes() == b"the guest's own"


def test_a_bridge_is_asked_of_qemus_helper_where_the_user_wants_it() -> None:
    assert "-netdev user,id=net0" in script(domain("xen-web"), FOLDER, OutputOptions())
    text = script(domain("xen-web"), FOLDER, OutputOptions(bridges=True))
    assert "-netdev bridge,id=net0,br=xenbr0" in text


@pytest.mark.parametrize("screen", Screen)
def test_the_screen_is_where_the_user_wants_it(screen: Screen) -> None:
    text = script(domain("xen-web"), FOLDER, OutputOptions(display=screen))
    assert {"spice": "-spice port"}.get(screen, f"-display {screen}") in text


def test_the_script_appears_with_the_rest_and_can_be_run(tmp_path: Path) -> None:
    target = open_target(Options(output="qemu", storage=tmp_path))
    disks = target.disks("xen-web", [512, 512])
    target.check("xen-web", disks, [512, 512])
    with target.writing("xen-web", disks) as writing:
        for _, partial in writing.images:
            partial.touch()
        first, *_ = writing.commit(Domain(domain("xen-web")), "{}")
    assert first == tmp_path / "xen-web.sh"
    assert stat.S_IMODE(first.stat().st_mode) & 0o111
    assert {path.suffix for path in tmp_path.iterdir()} == {".sh", ".xml", ".json", ".qcow2"}
    with pytest.raises(TargetError, match="exists already"):
        target.check("xen-web", disks, [512, 512])


def test_a_name_that_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    target = open_target(Options(output="qemu", storage=tmp_path, format=DiskFormat.raw))
    with pytest.raises(TargetError, match="it is longer than 90 bytes"):
        target.check("n" * 91, (), ())


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("local", "display=vnc"),
        ("qemu", "display=cga"),
        ("qemu", "volume=a"),
        ("libvirt", "volume"),
    ],
)
def test_options_that_an_output_does_not_have_are_refused(mode: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"-oo {text}: -o {mode} has no such option"):
        parse_output_options(mode, [text])


def test_options_of_outputs() -> None:
    assert parse_output_options("libvirt", ["volume=b", "volume=a"]).volumes == ("b", "a")
    found = parse_output_options("qemu", ["display=none", "bridges"])
    assert (found.display, found.bridges) == (Screen.none, True)
