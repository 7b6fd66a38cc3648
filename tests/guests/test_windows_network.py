# SPDX-License-Identifier: LGPL-2.1-or-later
"""The script that sets addresses, in Wine's cmd and registry, beside stand-ins for tools."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from converters.windows.network import steps
from tests.converters.windows.guests import conversion
from tests.converters.windows.test_network import GUIDS, MAC, SERIAL, adapter, guest, nic, static

pytestmark = pytest.mark.guest

NEW = "{A0000000-0000-0000-0000-000000000000}"
NETS = r"HKLM\SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}"
OLD_TCP = rf"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces\{GUIDS[0]}"
SET = 'netsh interface ip set address "{}" static 192.0.2.5 255.255.255.0 none'
POWERSHELL = f"echo 7 {NEW}"
GETMAC = rf'echo "{MAC.upper().replace(":", "-")}","\Device\Tcpip_{NEW}"'
Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wine")


@pytest.fixture
def run(tmp_path: Path, prefix: Path) -> Run:
    environ = {**os.environ, "WINEPREFIX": str(prefix), "WINEDEBUG": "-all"}

    def wine(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["wine", *argv], cwd=tmp_path, env=environ, text=True, capture_output=True,
            timeout=120, check=False,
        )  # fmt: skip

    def batch(name: str, *lines: str) -> None:
        text = "\r\n".join(["@echo off", *lines, ""])
        (tmp_path / f"{name}.cmd").write_bytes(text.encode())

    def first_boot(**tools: str) -> tuple[int, list[str]]:
        (step,) = steps(
            conversion(guest(adapter(0, SERIAL, static("192.0.2.5"))), nics=(nic(MAC),))
        )
        batch("step", *step.script.replace("left=40", "left=1").splitlines())
        for name in ("powershell", "getmac", "netsh", "pnputil", "ping"):
            batch(name, f"echo {name} %*>>calls.txt", tools.get(name, ""))
        wine("reg", "delete", r"HKLM\SOFTWARE\v2v", "/f")
        wine("reg", "add", rf"{NETS}\{GUIDS[0]}\Connection", "/v", "Name", "/d", "Old name", "/f")
        wine("reg", "add", rf"{NETS}\{NEW}\Connection", "/v", "Name", "/d", "New name", "/f")
        wine("reg", "add", OLD_TCP, "/v", "IPAddress", "/d", "192.0.2.5", "/f")
        code = wine("cmd", "/c", "step.cmd").returncode
        left = wine("reg", "query", OLD_TCP, "/v", "IPAddress").returncode == 0
        calls = (tmp_path / "calls.txt").read_text().splitlines()
        return code, [*(line.strip() for line in calls), *(["address left"] if left else [])]

    return first_boot


def test_with_powershell_the_adapter_is_known_by_its_number(run: Run) -> None:
    code, calls = run(powershell=POWERSHELL)
    assert code == 0
    assert SET.format("7") in calls
    assert f'pnputil /remove-device "{SERIAL}"' in calls
    assert any("Rename-NetAdapter" in call for call in calls)
    assert "address left" not in calls


def test_without_powershell_it_is_known_by_its_name_and_gets_the_old_one(run: Run) -> None:
    code, calls = run(getmac=GETMAC)
    assert code == 0
    assert SET.format("New name") in calls
    assert 'netsh interface set interface name="New name" newname="Old name"' in calls
    assert "address left" not in calls


def test_without_the_adapter_all_stays_and_the_waiting_ends(run: Run) -> None:
    code, calls = run()
    assert code == 1
    assert sum(call.startswith("ping") for call in calls) == 1
    assert not any(call.startswith("netsh") for call in calls)
    assert "address left" in calls
