# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.buses import layout
from v2v.errors import TargetError
from v2v.model import Bus, Capabilities, Removable, RemovableKind

Q35 = Capabilities()
PC_IDE = Capabilities(block_bus=Bus.ide, machine="pc")
CDROM = Removable(RemovableKind.cdrom)
FLOPPY = Removable(RemovableKind.floppy)


def cdrom(slot: int) -> Removable:
    return Removable(RemovableKind.cdrom, Bus.ide, slot)


def devices(count: int, capabilities: Capabilities, *removables: Removable) -> list[str]:
    found = layout(count, removables, capabilities)
    slots = [*found.disks, *(slot for _, slot in found.removables)]
    return [f"{slot.bus} {slot.device}" for slot in slots]


def test_virtio_disks_are_named_in_the_source_order() -> None:
    assert devices(2, Q35) == ["virtio vda", "virtio vdb"]


def test_the_27th_disk_has_two_letters() -> None:
    assert devices(28, Q35)[25:] == ["virtio vdz", "virtio vdaa", "virtio vdab"]


def test_ide_disks_are_sata_on_q35_which_has_no_ide_controller() -> None:
    assert devices(1, Capabilities(block_bus=Bus.ide)) == ["sata sda"]


def test_ide_disks_stay_ide_on_pc() -> None:
    assert devices(2, PC_IDE) == ["ide hda", "ide hdb"]


def test_a_fifth_ide_disk_is_refused() -> None:
    with pytest.raises(TargetError, match="5 disks: bus ide has room for 4") as caught:
        layout(5, (), PC_IDE)
    assert caught.value.finding.code == "E-SLOTS"


def test_a_cdrom_is_sata_on_q35_and_ide_on_pc() -> None:
    assert devices(1, Q35, CDROM) == ["virtio vda", "sata sda"]
    assert devices(1, Capabilities(machine="pc"), CDROM) == ["virtio vda", "ide hda"]


def test_a_cdrom_keeps_its_slot() -> None:
    assert devices(1, Q35, cdrom(2)) == ["virtio vda", "sata sdc"]


def test_a_drive_with_a_slot_chooses_before_one_without() -> None:
    assert devices(0, Q35, CDROM, cdrom(0)) == ["sata sda", "sata sdb"]
    (first, _), (second, _) = layout(0, (CDROM, cdrom(0)), Q35).removables
    assert (first.slot, second.slot) == (0, None)


def test_a_cdrom_gives_way_to_a_scsi_disk_of_the_same_name_with_a_warning() -> None:
    scsi = Capabilities(block_bus=Bus.scsi)
    assert devices(2, scsi, cdrom(1)) == ["scsi sda", "scsi sdb", "sata sdc"]
    (warning,) = layout(2, (cdrom(1),), scsi).warnings
    assert warning.code == "W-SLOT"
    assert "its slot 1 is not free on bus sata, it moves to slot 2 (sdc)" in warning.message


def test_a_cdrom_that_named_no_slot_moves_without_a_warning() -> None:
    assert layout(2, (CDROM,), PC_IDE).warnings == ()


def test_a_cdrom_wraps_round_where_the_higher_ide_slots_are_taken() -> None:
    assert devices(0, PC_IDE, cdrom(3), cdrom(3)) == ["ide hdd", "ide hda"]


def test_a_cdrom_beyond_the_ide_controller_moves_onto_it() -> None:
    assert devices(1, PC_IDE, cdrom(9)) == ["ide hda", "ide hdb"]


def test_a_cdrom_without_a_slot_left_is_left_out_with_a_warning() -> None:
    found = layout(4, (CDROM,), PC_IDE)
    assert found.removables == ()
    assert [warning.code for warning in found.warnings] == ["W-DRIVE-LEFT-OUT"]


def test_floppies_are_fda_and_fdb_and_a_third_is_left_out() -> None:
    assert devices(0, Q35, FLOPPY, FLOPPY, FLOPPY) == ["fdc fda", "fdc fdb"]


@given(
    st.integers(0, 30),
    st.lists(st.builds(Removable, st.sampled_from(RemovableKind), st.none(), st.integers(0, 9))),
    st.sampled_from(
        [Q35, Capabilities(block_bus=Bus.scsi), Capabilities(block_bus=Bus.sata, machine="pc")]
    ),
)
def test_no_name_stands_twice(
    count: int, removables: list[Removable], capabilities: Capabilities
) -> None:
    names = [name.split()[1] for name in devices(count, capabilities, *removables)]
    assert len(names) == len(set(names))
