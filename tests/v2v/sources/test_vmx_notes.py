# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of a VMX file is carried though it is no hardware, and what is named as left behind."""

from __future__ import annotations

import pytest

from tests.v2v.sources.test_vmx import NAME, codes, machine
from v2v.errors import SourceError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('serial1.present = "TRUE"\nserial1.fileName = "x.log"', "serial1 (x.log)"),
        ('usb:2.present = "TRUE"\nusb:2.deviceType = "disk"', "usb:2 (disk)"),
        ('usb:2.present = "TRUE"', "usb:2 (a device of its host)"),
        ('pciPassthru0.present = "TRUE"\npciPassthru0.vgpu = "a40"', "pciPassthru0 (a40)"),
        ('sharedFolder0.present = "TRUE"', "sharedFolder0"),
        ('mem.hotadd = "TRUE"', "memory added while it runs"),
        ('vhv.enable = "TRUE"', "virtual machines inside of it"),
        ('svga.numDisplays = "3"', "3 screens"),
        ('bios.bootOrder = "cdrom,hdd"', "to start from cdrom first"),
        ('guestinfo.userdata = "x"', "1 values of guestinfo"),
    ],
)
def test_what_the_target_has_nothing_for_is_listed(text: str, said: str) -> None:
    (warning,) = machine(NAME + text).warnings
    assert warning.code == "W-SOURCE-KEY"
    assert f"not carried over: {said}" in warning.message


@pytest.mark.parametrize(
    "text",
    [
        'serial0.present = "TRUE"\nserial0.fileType = "thinprint"',
        'usb:1.present = "TRUE"\nusb:1.deviceType = "hub"',
        'usb:1.present = "FALSE"\nusb:1.deviceType = "disk"',
        'bios.bootOrder = "hdd,cdrom"',
        'checkpoint.vmState = ""',
        'scsi0.sharedBus = "none"\nscsi0:0.fileName = "x"',
        'svga.numDisplays = "1"',
    ],
)
def test_what_nobody_misses_is_not_told(text: str) -> None:
    assert codes(machine(NAME + text)) == []


def test_notes_of_people_are_kept() -> None:
    found = machine(NAME + 'annotation = "owner: ops|0D|0Aa|07b"\nguestOS = "rhel8-64"')
    assert found.description == "owner: ops\na b"
    assert found.os == "rhel8-64"
    assert machine(NAME + 'annotation = "|0A"').description is None


def test_a_tpm_and_an_unplugged_cable_are_carried() -> None:
    found = machine(NAME + 'vtpm.present = "TRUE"\nethernet0.startConnected = "FALSE"')
    assert found.tpm
    assert [nic.connected for nic in found.nics] == [False]
    assert [nic.connected for nic in machine(NAME + 'ethernet0.present = "TRUE"').nics] == [True]


def test_an_empty_name_is_made_of_the_files() -> None:
    found = machine('displayName = " "\nmemSize = "64"')
    assert (found.name, codes(found)) == ("web", ["W-SOURCE-NAME"])


def test_the_list_of_snapshots_is_no_vmx_file() -> None:
    text = '.encoding = "UTF-8"\nsnapshot.lastUID = "2"\nsnapshot.numSnapshots = "1"\n'
    with pytest.raises(SourceError, match="is the list of a guest's snapshots") as failed:
        machine(text)
    assert failed.value.finding.hint == "name the .vmx beside it"
