# SPDX-License-Identifier: LGPL-2.1-or-later
"""The report as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from v2v.changes import Plan, RunCommand, SetLabels, WriteFile
from v2v.errors import Finding
from v2v.model import (
    Boot,
    Bootloader,
    BootMethod,
    Bus,
    Capabilities,
    Disk,
    DiskFormat,
    Driver,
    Firmware,
    Guest,
    Hypervisor,
    Kernel,
    Machine,
    Network,
    NetworkKind,
    Nic,
    OsType,
)
from v2v.report import Report, TargetImage, TargetSummary
from v2v.units import iec

MACHINE = Machine(
    kind="xl",
    hypervisor=Hypervisor.xen,
    name="web",
    memory_bytes=512 << 20,
    vcpus=2,
    disks=(Disk("/x/xvda.img", DiskFormat.raw, Bus.xen, "xvda", 2 << 30),),
    folder=Path("/x"),
    boot=Boot(BootMethod.pygrub),
    nics=(Nic("00:16:3e:00:00:01", "netfront", Network(NetworkKind.bridge, "br0")),),
)
GUEST = Guest(
    type=OsType.linux,
    distro="debian",
    version="12",
    product="Debian GNU/Linux 12",
    arch="x86_64",
    firmware=Firmware.bios,
    root="/dev/sda1",
    mountpoints={"/": "/dev/sda1"},
    bootloader=Bootloader.grub2,
    kernels=(
        Kernel("6.1", "/boot/vmlinuz-6.1", "/boot/initrd-6.1", True, {"blk": Driver.module}, False),
    ),
)
PLAN = Plan(
    changes=(
        WriteFile("/etc/fstab", b"/dev/xvda1 /\n", b"UUID=1 /\n", "disks have other names"),
        RunCommand(("grub-install", "/dev/sda"), "nothing is in the first sector"),
        SetLabels({"/etc/new": "u:r:etc_t:s0"}, "new files have none"),
    ),
    warnings=(),
    blockers=(),
    capabilities=Capabilities(),
)
TARGET = TargetSummary(
    machine="q35",
    firmware=Firmware.bios,
    block_bus=Bus.virtio,
    net_model="virtio",
    domain_xml="<domain/>\n",
    disks=(TargetImage("/t/web-sda.qcow2", DiskFormat.qcow2, 2 << 30, 1536 << 10),),
)
REPORT = Report(
    dry_run=True,
    machine=MACHINE,
    guest=GUEST,
    plan=PLAN,
    warnings=(Finding("W-X", "a warning", "look at it"),),
    blockers=(Finding("E-X", "a blocker"),),
    target=TARGET,
    timing={"launch": 7.25, "plan": 1.0},
    appliance_calls=99,
)


def test_the_text_has_all_sections_in_order() -> None:
    assert REPORT.to_text() == (
        "Source: web (xen, read as xl)\n"
        "  2 vCPU, 512.0 MiB, firmware unknown, boot by pygrub\n"
        "  disk /x/xvda.img 2.0 GiB (xvda, xen, raw)\n"
        "  NIC 00:16:3e:00:00:01 on bridge br0 (netfront)\n"
        "\n"
        "Guest: Debian GNU/Linux 12 (x86_64, debian12)\n"
        "  firmware bios, boot loader grub2\n"
        "  / on /dev/sda1\n"
        "  kernel 6.1 (default): virtio blk module\n"
        "    /boot/initrd-6.1 lacks virtio\n"
        "\n"
        "Changes: 3\n"
        "  1. edit /etc/fstab\n"
        "     disks have other names\n"
        "  2. run grub-install /dev/sda\n"
        "     nothing is in the first sector\n"
        "  3. label 1 new files and folders\n"
        "     new files have none\n"
        "\n"
        "Warnings: 1\n"
        "  W-X: a warning\n"
        "    look at it\n"
        "\n"
        "Blockers: 1\n"
        "  E-X: a blocker\n"
        "\n"
        "Would be written:\n"
        "  /t/web-sda.qcow2 (qcow2, 2.0 GiB virtual, up to 1.5 MiB)\n"
        "  a domain on q35 with bios, disks on virtio, NICs as virtio\n"
        "  space needed: 1.5 MiB\n"
        "\n"
        "Time: 8.2 s (launch 7.2, plan 1.0)\n"
    )


def test_diffs_and_the_domain_are_shown_on_request() -> None:
    text = REPORT.to_text(diffs=True)
    assert "       -/dev/xvda1 /\n       +UUID=1 /\n" in text
    assert "Domain XML\n  <domain/>\n" in text


def test_the_json_has_the_contracts_keys() -> None:
    report = json.loads(REPORT.to_json())
    assert list(report) == [
        "schema", "v2v", "dry_run", "source", "guest", "plan", "blockers", "target", "timing",
        "appliance_calls",
    ]  # fmt: skip
    assert report["guest"]["osinfo"] == "debian12"
    assert report["guest"]["kernels"] == [
        {
            "version": "6.1",
            "default": True,
            "virtio": {"blk": "module"},
            "initramfs": "/boot/initrd-6.1",
            "initramfs_has_virtio": False,
        }
    ]
    kinds = [change["kind"] for change in report["plan"]["changes"]]
    assert kinds == ["write_file", "run_command", "set_labels"]
    assert report["plan"]["changes"][0]["path"] == "/etc/fstab"
    assert report["plan"]["changes"][0]["diff"].startswith("--- a/etc/fstab\n")
    assert report["plan"]["changes"][1]["argv"] == ["grub-install", "/dev/sda"]
    assert report["plan"]["changes"][2]["labels"] == {"/etc/new": "u:r:etc_t:s0"}
    assert report["plan"]["warnings"][0]["code"] == "W-X"
    assert report["blockers"] == [{"code": "E-X", "message": "a blocker", "hint": None}]
    assert report["target"]["disks"][0]["estimated_bytes"] == 1536 << 10
    assert report["timing"] == {"launch": 7.25, "plan": 1.0}


def test_sizes_are_in_iec_units() -> None:
    assert [iec(0), iec(1023), iec(1024), iec(1536 << 20)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.5 GiB",
    ]
    assert iec(5 << 60) == "5120.0 PiB"


def test_other_systems_on_the_disks_are_named() -> None:
    roots = ("Debian GNU/Linux 12 on /dev/sda1", "AlmaLinux 9.3 on /dev/vg/root")
    report = replace(REPORT, guest=replace(GUEST, roots=roots, locked=("/dev/sdb",)))
    assert f"  one of several systems: {', '.join(roots)}\n" in report.to_text()
    guest = json.loads(report.to_json())["guest"]
    assert (guest["roots"], guest["locked"]) == (list(roots), ["/dev/sdb"])
