# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the scripts, with a folder of programs that only note how they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.linux.firstboot_script import script
from converters.linux.inits import Init
from converters.linux.packages import Database
from v2v.run import run

# What says whether a package is installed: the stubs keep a file for each that is.
_STUB = """\
#!/bin/sh
echo "${{0##*/}} $*" >> {calls}
{body}
"""
_INSTALLED = "for last; do :; done; [ -e {state}/${{last##*/}} ]"
_BODIES = {
    "dpkg": 'case $1 in -s) [ -e {state}/$2 ] && echo "Status: install ok installed" ;; '
    "--purge) shift; for p; do [ $p = kept ] || rm -f {state}/$p; done ;; esac",
    "rpm": "case $1 in -q) [ -e {state}/$2 ] ;; -e) shift 2; for p; do [ $p != kept ] || exit 1; "
    "done; for p; do rm -f {state}/$p; done ;; esac",
    "apk": "case $* in 'info -e '*) [ -e {state}/$3 ] ;; *add*) touch {state}/qemu-guest-agent ;; "
    "*del*) shift 3; for p; do rm -f {state}/$p; done ;; esac",
    "pacman": "case $1 in -Q) [ -e {state}/$2 ] ;; -S) touch {state}/qemu-guest-agent ;; "
    "-R) shift 2; for p; do rm -f {state}/$p; done ;; esac",
    "xbps-query": "[ -e {state}/$1 ]",
    "xbps-install": "touch {state}/qemu-ga",
    "xbps-remove": "shift; for p; do rm -f {state}/$p; done",
    "apt-get": "case $* in *--no-download*) touch {state}/qemu-guest-agent ;; esac",
    "dnf": "touch {state}/qemu-guest-agent",
    "zypper": "touch {state}/qemu-guest-agent",
    "emerge": "shift 2; for p; do rm -rf {state}/$p; done",
    "systemctl": "[ $1 != start ] || [ $2 = qemu-guest-agent ]",
    "sleep": "",
    "timeout": 'shift; "$@"',
}
_ALWAYS = ("sleep", "timeout", "systemctl")


class Guest:
    """A folder with the programs of a guest."""

    def __init__(self, folder: Path, programs: tuple[str, ...]) -> None:
        self.folder = folder
        self.state, self._bin = folder / "state", folder / "bin"
        self.state.mkdir()
        self._bin.mkdir()
        for name in (*programs, *_ALWAYS):
            body = _BODIES[name].format(state=self.state)
            path = self._bin / name
            path.write_text(_STUB.format(calls=folder / "calls", body=body))
            path.chmod(0o755)
        for name in ("rm", "touch", "grep", "date", "sed", "ln", "ls"):
            (self._bin / name).symlink_to(f"/usr/bin/{name}")

    def run(self, text: str) -> list[str]:
        """Run a script that sees no other programs, and return its calls of package managers."""
        text = text.replace("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                            f"PATH={self._bin}")  # fmt: skip
        text = text.replace("/var/log/", f"{self.folder}/")
        path = self.folder / "script"
        path.write_text(text)
        run("shellcheck", "--shell=sh", "--severity=error", path)
        run("/usr/bin/timeout", "20", "sh", path)
        calls = (self.folder / "calls").read_text().splitlines()
        quiet = ("rpm -q", "dpkg -s", "apk info", "pacman -Q", "xbps-query", "timeout", "sleep")
        return [call for call in calls if not call.startswith(quiet)]

    def log(self) -> str:
        return (self.folder / "v2v-firstboot.log").read_text()


@pytest.mark.parametrize(
    ("database", "programs", "removed", "installed"),
    [
        (Database.dpkg, ("dpkg", "apt-get"), "dpkg --purge open-vm-tools", "apt-get -q -y"),
        (Database.rpm, ("rpm", "dnf"), "rpm -e --allmatches open-vm-tools",
         "dnf -y --setopt=timeout=20 --setopt=retries=2 install qemu-guest-agent"),
        (Database.rpm, ("rpm", "zypper", "dnf"), "rpm -e --allmatches open-vm-tools",
         "zypper -n install -l qemu-guest-agent"),
        (Database.apk, ("apk",), "apk --wait 300 del open-vm-tools",
         "apk --wait 300 --update-cache add qemu-guest-agent"),
        (Database.pacman, ("pacman",), "pacman -R --noconfirm open-vm-tools",
         "pacman -S --noconfirm --needed qemu-guest-agent"),
        (Database.xbps, ("xbps-query", "xbps-install", "xbps-remove"),
         "xbps-remove -y open-vm-tools", "xbps-install -S -y qemu-ga"),
    ],
)  # fmt: skip
def test_each_package_manager_removes_and_installs_what_is_named(
    tmp_path: Path, database: Database, programs: tuple[str, ...], removed: str, installed: str
) -> None:
    guest = Guest(tmp_path, programs)
    (guest.state / "open-vm-tools").touch()
    mask = tmp_path / "mask"
    mask.touch()
    text = script(
        database, Init.systemd, packages=["open-vm-tools"], masks=[str(mask)], uninstallers=[],
        agent=True, clean_up="",
    )  # fmt: skip
    calls = guest.run(text)
    assert calls[0] == removed
    assert any(call.startswith(installed) for call in calls)
    assert calls[-1] == "systemctl start qemu-guest-agent"
    assert not mask.exists()
    assert len(calls) <= 8


@pytest.mark.parametrize("database", [Database.dpkg, Database.rpm])
def test_a_package_that_another_needs_stays_and_so_does_its_mask(
    tmp_path: Path, database: Database
) -> None:
    guest = Guest(tmp_path, (str(database),))
    for name in ("kept", "open-vm-tools-desktop"):
        (guest.state / name).touch()
    mask = tmp_path / "mask"
    mask.touch()
    text = script(
        database, Init.sysvinit, packages=["kept", "open-vm-tools-desktop"], masks=[str(mask)],
        uninstallers=[], agent=False, clean_up=f"rm -f {tmp_path}/script\n",
    )  # fmt: skip
    calls = guest.run(text)
    assert [path.name for path in guest.state.iterdir()] == ["kept"]
    assert len(calls) <= 15  # it gives up after five tries
    assert mask.exists()
    assert not (tmp_path / "script").exists()
    assert guest.log().rstrip().endswith("done")


def test_an_agent_that_is_nowhere_is_tried_ten_times(tmp_path: Path) -> None:
    guest = Guest(tmp_path, ("rpm",))
    text = script(
        Database.rpm, Init.systemd, packages=[], masks=[], uninstallers=[], agent=True, clean_up=""
    )
    guest.run(text)
    assert "installing qemu-guest-agent, try 10 of 10" in guest.log()
    assert "try 11" not in guest.log()


def test_gentoos_packages_have_a_category(tmp_path: Path) -> None:
    guest = Guest(tmp_path, ("emerge",))
    text = script(
        Database.portage, Init.openrc, packages=["app-emulation/open-vm-tools"], masks=[],
        uninstallers=[], agent=False, clean_up="",
    ).replace("/var/db/pkg", str(guest.state))  # fmt: skip
    (guest.state / "app-emulation").mkdir()
    (guest.state / "app-emulation/open-vm-tools-12.4.0").mkdir()
    assert guest.run(text)[0] == "emerge --quiet --unmerge app-emulation/open-vm-tools"


def test_an_uninstaller_runs_once_and_its_failure_is_noted(tmp_path: Path) -> None:
    guest = Guest(tmp_path, ())
    program = tmp_path / "it's an uninstaller"
    program.write_text(f"#!/bin/sh\necho ran $1 >> {tmp_path}/calls\nexit 1\n")
    program.chmod(0o755)
    text = script(
        None, Init.sysvinit, packages=[], masks=[], uninstallers=[(str(program), "-r")],
        agent=False, clean_up="",
    )  # fmt: skip
    assert guest.run(text) == ["ran -r"]
    assert "it failed" in guest.log()
