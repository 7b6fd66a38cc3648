# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the vSphere API says of a guest, and what becomes of it; no server is asked."""

from __future__ import annotations

from typing import Any

from pyVmomi import vim

from v2v.model import Bus, Firmware, RemovableKind
from v2v.sources.vsphere import Described, describe

D = vim.vm.device
FLAT = D.VirtualDisk.FlatVer2BackingInfo


def disk(unit: int, controller: int, backing: Any) -> Any:
    return D.VirtualDisk(
        key=2000 + unit, controllerKey=controller, unitNumber=unit, capacityInKB=1024,
        capacityInBytes=1 << 20, backing=backing,
    )  # fmt: skip


def config(*devices: Any, **more: Any) -> Any:
    hardware = vim.vm.VirtualHardware(
        numCPU=4, numCoresPerSocket=2, memoryMB=2048, device=[*devices]
    )
    return vim.vm.ConfigInfo(
        name="web", uuid="4210aabb-0000-4000-8000-000000000001", hardware=hardware, **more
    )


def described(*devices: Any, **more: Any) -> Described:
    names = {"dvportgroup-7": "servers"}
    return describe(config(*devices, **more), "vc", names, None, running=False)


def test_disks_are_counted_by_their_buses() -> None:
    files = [FLAT(fileName=f"[ds] web/{name}.vmdk") for name in "abc"]
    found = described(
        D.VirtualAHCIController(key=15000, busNumber=0),
        disk(0, 15000, files[0]),
        D.ParaVirtualSCSIController(key=1000, busNumber=0),
        disk(1, 1000, files[1]),
        disk(0, 1000, files[2]),
    )
    disks = [(each.path[-6], each.controller) for each in found.machine.disks]
    assert disks == [("c", Bus.scsi), ("b", Bus.scsi), ("a", Bus.sata)]
    assert found.blockers == ()


def test_a_nic_of_a_distributed_switch_has_the_name_of_its_port_group() -> None:
    port = vim.dvs.PortConnection(switchUuid="x", portgroupKey="dvportgroup-7")
    backing = D.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    slot = D.VirtualDevice.PciBusSlotInfo(pciSlotNumber=1184)
    card = D.VirtualVmxnet3(
        key=4000, macAddress="00:50:56:AA:BB:CC", backing=backing, slotInfo=slot
    )
    (nic,) = described(card).machine.nics
    assert (nic.mac, nic.model, nic.network.name, nic.slot) == (
        "00:50:56:aa:bb:cc", "vmxnet3", "servers", 161,
    )  # fmt: skip


def test_firmware_cpus_and_drives_are_carried_over() -> None:
    boot = vim.vm.BootOptions(efiSecureBootEnabled=True)
    ide = D.VirtualIDEController(key=201, busNumber=1)
    drive = D.VirtualCdrom(key=3000, controllerKey=201, unitNumber=0)
    machine = described(ide, drive, firmware="efi", bootOptions=boot).machine
    assert (machine.firmware, machine.secure_boot) == (Firmware.efi, True)
    assert machine.topology is not None
    assert (machine.vcpus, machine.topology.sockets) == (4, 2)
    (removable,) = machine.removables
    assert (removable.kind, removable.slot) == (RemovableKind.cdrom, 2)


def test_a_raw_device_map_and_encryption_stand_in_the_way() -> None:
    raw = D.VirtualDisk.RawDiskMappingVer1BackingInfo(fileName="[ds] web/lun.vmdk")
    key = vim.encryption.CryptoKeyId(keyId="k")
    found = described(disk(0, 1000, raw), keyId=key)
    assert [each.code for each in found.blockers] == ["E-VSPHERE-DISK", "E-VMX-ENCRYPTED"]


def test_what_a_disk_is_a_snapshot_of_is_known() -> None:
    middle = FLAT(fileName="[ds] web/a-000001.vmdk", parent=FLAT(fileName="[ds] web/a.vmdk"))
    top = FLAT(fileName="[ds] web/a-000002.vmdk", parent=middle)
    controller = D.ParaVirtualSCSIController(key=1000, busNumber=2)
    (found,) = described(controller, disk(3, 1000, top)).machine.disks
    assert found.parents == ("[ds] web/a-000001.vmdk", "[ds] web/a.vmdk")
    assert found.member == "ParaVirtualSCSIController2:3"


def test_a_snapshot_inside_of_the_storage_stands_in_the_way() -> None:
    base = FLAT(fileName="[ds] web/a.vmdk")
    top = FLAT(fileName="[ds] web/a-000001.vmdk", parent=base, deltaDiskFormat="nativeFormat")
    (blocker,) = described(disk(0, 1000, top)).blockers
    assert blocker.code == "E-VSPHERE-CHAIN"
    assert "-it nfc" in (blocker.hint or "")


def test_what_is_left_behind_is_said() -> None:
    (warning,) = described(D.VirtualTPM(key=11000)).machine.warnings
    assert warning.code == "W-SOURCE-KEY"
    assert "VirtualTPM" in warning.message
