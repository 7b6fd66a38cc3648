# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reports, evidence and a batch's result as programs get them, for pages to be made of."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from v2v.proof.screen import png
from v2v.version import VERSION

MADE = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
HOSTILE = (
    "<script>window.hostile = 1</script>\"'><img src=x onerror=alert(1)>\u202e\x1b[31m\x00\ud800"
)
_DIFF = "--- /etc/fstab\n+++ /etc/fstab\n@@ -1 +1 @@\n-/dev/sda1 / ext4\n+UUID=4a5b / ext4\n same\n"


def report(name: str, *, dry_run: bool = False, text: str = "") -> dict[str, Any]:
    """Return a report; ``text`` comes from the guest, wherever a guest's own words can stand."""
    finding = {"code": "W-KVM", "message": f"no KVM {text}", "hint": f"run elsewhere {text}"}
    disk = {"path": f"/vm/{name}{text}.vmdk", "format": "vmdk", "controller": "scsi"}
    image = {"path": f"/srv/{name}-sda.qcow2", "format": "qcow2"}
    network = {"kind": "network", "name": f"VM Network{text}"}
    return {
        "schema": 1,
        "v2v": VERSION,
        "dry_run": dry_run,
        "source": {
            "kind": "vmx", "hypervisor": "vmware", "name": name + text, "memory_bytes": 2 << 30,
            "vcpus": 2, "firmware": "bios", "boot": None,
            "disks": [{**disk, "virtual_bytes": 8 << 30}],
            "nics": [{"mac": "00:50:56:01:02:03", "model": "e1000", "network": network}],
        },
        "guest": {"product": f"Debian GNU/Linux 12 (bookworm){text}", "bootloader": "grub2"},
        "plan": {
            "changes": [
                {"kind": "write_file", "path": f"/etc/fstab{text}", "why": f"disks {text}",
                 "diff": _DIFF + text},
                {"kind": "run_command", "argv": ["dracut", text], "why": "modules", "diff": None},
            ],
            "warnings": [finding],
        },
        "blockers": [],
        "target": {
            "machine": "q35", "firmware": "bios", "block_bus": "virtio", "net_model": "virtio",
            "cpu_level": 1, "domain_xml": f"<domain>{text}</domain>",
            "disks": [{**image, "virtual_bytes": 8 << 30, "estimated_bytes": 3 << 29}],
        },
        "timing": {"source": 0.1, "launch": 6.2, "inspect": 4.0, "plan": 1.1, "copy": 9.5},
        "appliance_calls": 120,
    }  # fmt: skip


def evidence(name: str, *, booted: bool = True, text: str = "") -> dict[str, Any]:
    """Return what a boot proof said."""
    picture = png(b"P6 4 2 255 " + bytes(range(24)))
    cause = {"reason": "no_root", "said": f"ALERT! no root {text}", "advice": f"look {text}"}
    return {
        "schema": 1, "name": name, "booted": booted, "level": "login", "seconds": 31.4,
        "accel": "tcg", "signs": [{"level": "login", "text": f"login: {text}", "seconds": 31.0}],
        "cause": None if booted else cause, "console": [f"{name} login: {text}"],
        "screen": [f"screen {text}"], "screenshot": base64.b64encode(picture).decode(),
        "warnings": [],
    }  # fmt: skip


def row(name: str, state: str, **more: object) -> dict[str, Any]:
    """Return what a batch says of a guest."""
    return {
        "name": name, "source": [f"{name}.vmx"], "state": state, "seconds": 20.0,
        "written_bytes": 0, "findings": [], "report": None, **more,
    }  # fmt: skip


def batch(*, text: str = "", count: int = 3) -> Mapping[str, Any]:
    """Return the result of a batch with guests of all states."""
    finding = {"code": "E-RUNNING", "message": f"db is running {text}", "hint": "shut it down"}
    done = [
        row(
            f"web{at}", "done", report=report(f"web{at}", text=text), seconds=60.0 - at,
            written_bytes=(at + 1) << 29, evidence=evidence(f"web{at}", booted=at > 0, text=text),
        )
        for at in range(count)
    ]  # fmt: skip
    return {
        "schema": 1, "plan": f"/plans/datacenter{text}.yaml", "dry_run": False, "seconds": 321.0,
        "guests": [
            *done, row("db", "blocked", findings=[finding]), row("mail", "failed"),
            row(f"old{text}", "skipped", seconds=0.0),
        ],
        "findings": [{"code": "W-X", "message": f"as a whole {text}", "hint": None}],
    }  # fmt: skip
