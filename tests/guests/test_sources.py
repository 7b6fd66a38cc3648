# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real guests boot before they are converted, on the nearest to their old hardware in QEMU.

A guest that never booted would prove nothing. Xen's own disks are IDE here, as in its BIOS.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import v2v
from fixtures.build import bootable, guest
from fixtures.debian import guestfish
from fixtures.ova import taken_out
from fixtures.programs import run
from tests.matrix import configuration
from v2v.disks.opening import open_image
from v2v.model import Bus, Disk, Firmware, Hypervisor
from v2v.proof import Level, describe, verify

pytestmark = [pytest.mark.guest, pytest.mark.every]

# Only Xen starts them.
_PARAVIRTUAL = {
    *("xen-web", "xen-xva", "xen-tools", "xen-whole", "xen-direct", "xen-legacy", "xen-vhd"),
    *("xen-pvgrub", "xen-pvh"),
}
_NICS = {"netvsc": "e1000", "82540em": "e1000"}
_DOMAIN = """\
<domain type="kvm">
  <name>{name}</name>
  <memory unit="MiB">1024</memory>
  <vcpu>2</vcpu>
  <os{firmware}><type arch="x86_64" machine="{machine}">hvm</type><boot dev="hd"/></os>
  <features><acpi/></features>
  <cpu mode="host-model"/>
  <devices>
    {disks}
    <controller type="scsi" model="vmpvscsi"/>
    <interface type="network"><mac address="{mac}"/><model type="{nic}"/></interface>
    <serial type="pty"/>
    <video><model type="vga"/></video>
  </devices>
</domain>
"""
_DISK = """\
<disk type="file"><driver type="{format}"/><source file="{path}"/>
      <target dev="{bus}{letter}" bus="{kind}"/></disk>"""
# A new machine has not the boot entry that the guest's installer wrote into the old one's memory.
# systemd-boot needs none, and guests of other families than Debian's have a loader at the fallback
# path.
_FALLBACK = """\
mount /dev/sda1 /
mkdir-p /EFI/BOOT
-glob cp /EFI/debian/shimx64.efi /EFI/BOOT/BOOTX64.EFI
-glob cp /EFI/debian/grubx64.efi /EFI/BOOT/grubx64.efi
"""


def _image(disk: Disk, folder: Path, copy: Path) -> tuple[Path, str]:
    """Return an image and its format; a copy of what QEMU cannot read by itself."""
    with open_image(disk, folder, trust=False) as image:
        if not image.path.is_socket():
            return image.path, image.format.value
        run("qemu-img", "convert", "-O", "raw", f"nbd+unix:///?socket={image.path}", copy)
    return copy, "raw"


def _domain(source: Path, folder: Path) -> str:
    machine = v2v.open(source)
    bus = Bus.ide if machine.hypervisor is Hypervisor.xen else machine.disks[0].controller
    assert bus is not None
    efi = machine.firmware is Firmware.efi
    if efi:
        bus = Bus.sata  # Debian's OVMF has no driver for VMware's SCSI controllers
    disks = []
    for letter, disk in zip("abcd", machine.disks, strict=False):
        if disk.packed is not None:
            path, form = taken_out(source, Path(disk.path).name, folder), disk.format or "vmdk"
        else:
            path, form = _image(disk, machine.folder, folder / f"{letter}.raw")
        if efi:
            old, path, form = path, folder / f"{letter}.img", "raw"
            run("qemu-img", "convert", "-O", "raw", old, path)
            guestfish(_FALLBACK, path)
        prefix = "hd" if bus is Bus.ide else "sd"
        disks.append(
            _DISK.format(format=form, path=path, bus=prefix, letter=letter, kind=bus.value)
        )
    return _DOMAIN.format(
        name=machine.name,
        firmware=' firmware="efi"' if efi else "",
        machine="pc" if bus is Bus.ide else "q35",
        disks="\n    ".join(disks),
        mac=machine.nics[0].mac,
        nic=_NICS.get(machine.nics[0].model or "", machine.nics[0].model),
    )


@pytest.mark.parametrize("name", sorted(set(bootable()) - _PARAVIRTUAL))
def test_the_guest_boots_where_it_comes_from(name: str, tmp_path: Path) -> None:
    source = configuration(guest(name))
    domain = tmp_path / "domain.xml"
    domain.write_text(_domain(source, tmp_path))
    evidence = verify(domain, timeout=600)
    assert evidence.booted, describe(evidence)
    assert evidence.level in (Level.login, Level.network), describe(evidence)
