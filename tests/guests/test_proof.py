# SPDX-License-Identifier: LGPL-2.1-or-later
"""The boot proof on real guests: dead ones fail with the right cause, living ones pass."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest

from fixtures import build
from fixtures.debian import guestfish
from v2v.proof import Evidence, Level, Reason, verify
from v2v.run import run

pytestmark = pytest.mark.guest

VIRTIO = '<target dev="vda" bus="virtio"/>'
PVSCSI = '<target dev="sda" bus="scsi"/>'
DOMAIN = """\
<domain type="kvm">
  <name>{name}</name>
  <memory unit="MiB">512</memory>
  <vcpu>2</vcpu>
  <os{firmware}><type arch="x86_64" machine="q35">hvm</type><boot dev="hd"/></os>
  <features><acpi/></features>
  <cpu mode="host-model"/>
  <devices>
    <disk type="file"><driver type="{format}"/><source file="{image}"/>{target}</disk>
    <controller type="scsi" model="vmpvscsi"/>
    <interface type="network">
      <mac address="52:54:00:12:34:56"/><model type="{nic}"/>
    </interface>
    <serial type="pty"/>
    <video><model type="vga"/></video>
  </devices>
</domain>
"""


def prove(image: Path, image_format: str, folder: Path, **changes: str) -> Evidence:
    """Boot an image and return the evidence; the image is as before and nothing is left over."""
    values = {"name": image.stem, "firmware": "", "target": VIRTIO, "nic": "virtio", **changes}
    domain = folder / "domain.xml"
    domain.write_text(DOMAIN.format(image=image, format=image_format, **values))
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    scratch = folder / "scratch"
    scratch.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(scratch))
        evidence = verify(domain)
    assert list(scratch.iterdir()) == []
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before
    return evidence


def reason(evidence: Evidence) -> Reason | None:
    assert evidence.booted == (evidence.cause is None)
    return evidence.cause.reason if evidence.cause else None


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    image = tmp_path / "blank.img"
    with image.open("wb") as disk:
        disk.truncate(64 << 20)
    return image


def test_a_blank_disk_has_nothing_to_boot(blank: Path, tmp_path: Path) -> None:
    evidence = prove(blank, "raw", tmp_path)
    assert reason(evidence) is Reason.no_boot_device
    assert evidence.level is Level.nothing
    assert evidence.seconds < 60
    assert "No bootable device." in evidence.screen


def test_a_blank_disk_has_nothing_to_boot_with_uefi_either(blank: Path, tmp_path: Path) -> None:
    evidence = prove(blank, "raw", tmp_path, firmware=' firmware="efi"')
    assert reason(evidence) is Reason.no_boot_device
    assert evidence.seconds < 120


def test_an_unconverted_xen_guest_has_no_boot_code(tmp_path: Path) -> None:
    evidence = prove(build.guest("xen-web") / "xvda.img", "raw", tmp_path)
    assert reason(evidence) is Reason.no_boot_device
    assert evidence.cause is not None
    assert "boot sector of the first disk holds no code" in evidence.cause.said


def test_an_unconverted_vmware_guest_does_not_find_its_root_device(tmp_path: Path) -> None:
    evidence = prove(build.guest("esx-app") / "esx-app.vmdk", "vmdk", tmp_path)
    assert reason(evidence) is Reason.no_root
    assert evidence.cause is not None
    assert "/dev/sda1" in evidence.cause.said


def test_a_vmware_guest_boots_on_vmwares_devices(tmp_path: Path) -> None:
    image = build.guest("esx-app") / "esx-app.vmdk"
    evidence = prove(image, "vmdk", tmp_path, target=PVSCSI, nic="vmxnet3")
    assert reason(evidence) is None
    assert evidence.level is Level.login
    assert evidence.screen[-1] == "esx-app login:"
    assert {sign.level for sign in evidence.signs} >= {Level.login, Level.writes}
    assert "W-PROOF-NIC" in {finding.code for finding in evidence.warnings}  # it asks for ens192


def test_a_guest_in_its_emergency_shell_fails(tmp_path: Path) -> None:
    """It has its kernel, its root, writes to it and may even ask for an address."""
    image = tmp_path / "emergency.img"
    source = build.guest("esx-app") / "esx-app.vmdk"
    run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", source, image)
    mount = "/dev/xvdb1 /srv ext4 x-systemd.device-timeout=5 0 2"
    guestfish(f'mount /dev/sda1 /\nwrite-append /etc/fstab "{mount}\\n"\n', image)
    evidence = prove(image, "raw", tmp_path, target=PVSCSI, nic="vmxnet3")
    assert reason(evidence) is Reason.maintenance
    assert evidence.cause is not None
    assert "/dev/xvdb1" in evidence.cause.said


def test_a_guest_whose_root_device_is_missing_fails(tmp_path: Path) -> None:
    """The kernel and its initramfs are fine; the disk that they are told of is not there."""
    image = tmp_path / "rootless.img"
    source = build.guest("esx-app") / "esx-app.vmdk"
    run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", source, image)
    edit = "sed -i s,root=/dev/sda1,root=UUID=0badc0de, /boot/grub/grub.cfg"
    guestfish(f'mount /dev/sda1 /\ncommand "{edit}"\n', image)
    evidence = prove(image, "raw", tmp_path, target=PVSCSI, nic="vmxnet3")
    assert reason(evidence) is Reason.no_root
    assert evidence.cause is not None
    assert "0badc0de" in evidence.cause.said
