# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from converters.linux import initramfs, prepare
from drivers.initramfs import look
from tests.converters.guests import Case, load
from tests.converters.linux.drafting import case, described, draft
from v2v.changes import Draft
from v2v.model import Bus, InitramfsMode

RHEL = "vmware-rhel7-dracut-hostonly"
XEN, LUKS, LZMA = "xen-pygrub-debian12", "vmware-luks-crypttab", "xen-pvgrub-debian9-menu-lst"
IMAGE = "/boot/initrd.img-6.1.0-50-amd64"
UPDATE = "/usr/sbin/update-initramfs"


def add(guest: Case, mode: InitramfsMode = InitramfsMode.auto) -> Draft:
    drafted, _ = draft(initramfs.add_virtio, guest, mode)
    return drafted


def test_a_splice_brings_drivers_and_renames_the_copies() -> None:
    contents = look(add(case(XEN, {})).read(IMAGE))
    assert {"virtio_pci", "virtio_blk", "virtio_net"} <= contents.modules("6.1.0-50-amd64").keys()
    assert contents.files["conf/conf.d/resume"] == (
        b"RESUME=UUID=1c3d3d6e-0001-4000-8000-000000000002\n"
    )


def test_the_copy_of_crypttab_is_renamed() -> None:
    contents = look(add(case(LUKS, {})).read(IMAGE))
    assert contents.files["cryptroot/crypttab"] == (
        b"sda5_crypt UUID=aaaaaaaa-0007-4000-8000-000000000005 none luks,discard\n"
    )


def test_drafted_names_of_cards_go_in_with_their_driver() -> None:
    guest = case(XEN, {"/etc/systemd/network/10-v2v-eth0.link": "[Match]\n"})
    contents = look(add(guest).read(IMAGE))
    assert "lib/systemd/network/10-v2v-eth0.link" in contents.paths


def test_a_rebuild_is_done_where_it_is_asked_for() -> None:
    assert described(add(case(XEN, {}), InitramfsMode.rebuild)) == [
        "run update-initramfs -u -k 6.1.0-50-amd64"
    ]


def test_what_needs_nothing_is_not_rebuilt_either() -> None:
    assert described(add(case("kvm-ready-debian12", {}), InitramfsMode.rebuild)) == []


def test_what_cannot_be_read_is_rebuilt() -> None:
    drafted = add(case(XEN, {IMAGE: "no archive"}))
    assert described(drafted) == ["run update-initramfs -u -k 6.1.0-50-amd64"]
    assert "no archive starts at byte 0" in drafted.changes[0].why


def test_an_inexact_splice_is_a_blocker_if_nothing_else_may_be_done() -> None:
    link = {"/etc/systemd/network/10-v2v-eth0.link": "[Match]\n"}
    drafted = add(case(LZMA, link), InitramfsMode.splice)
    assert described(drafted) == []
    assert [found.code for found in drafted.blockers] == ["E-INITRAMFS"]
    assert "cannot be spliced: is an lzma stream" in drafted.blockers[0].message


def test_without_the_guests_own_tool_there_is_no_rebuild() -> None:
    drafted = add(case(XEN, {IMAGE: "no archive"}, without=(UPDATE,)))
    assert [found.code for found in drafted.blockers] == ["E-INITRAMFS"]
    assert "it lacks virtio and cannot be spliced" in drafted.blockers[0].message


def test_a_rebuild_of_an_encrypted_guest_keeps_its_unlocking() -> None:
    drafted = add(case(LUKS, {}), InitramfsMode.rebuild)
    edited, run = described(drafted)
    assert edited == "edit /etc/crypttab"
    assert run.startswith("run update-initramfs")


def test_dracut_makes_an_image_that_is_not_for_the_appliance() -> None:
    lines = described(add(case(RHEL, {}), InitramfsMode.rebuild))
    assert lines == [
        "run dracut --force --no-hostonly --add-drivers 'virtio_pci virtio_blk virtio_scsi sd_mod "
        "virtio_net' /boot/initramfs-3.10.0-1160.el7.x86_64.img 3.10.0-1160.el7.x86_64"
    ]


def test_a_card_keeps_its_name_in_dracuts_image() -> None:
    image = "/boot/initramfs-3.10.0-1160.el7.x86_64.img"
    rules = "/etc/udev/rules.d/70-persistent-net.rules"
    guest = case(RHEL, {})
    drafted = Draft(guest.files)
    conversion = prepare(drafted, guest.machine, guest.guest, InitramfsMode.auto)
    drafted.write(rules, "# edited\n", why="it is asked for")
    initramfs.add_virtio(drafted, conversion)
    assert look(drafted.read(image)).files[rules[1:]] == b"# edited\n"


def test_another_kernels_initramfs_stops_no_conversion() -> None:
    name = "xen-kernels-saved-default"
    guest = case(name, {}, without=(UPDATE,))
    drafted = Draft(guest.files)
    conversion = prepare(drafted, guest.machine, guest.guest, InitramfsMode.auto)
    assert conversion.kernel is not None
    others = [
        kernel
        for kernel in conversion.guest.kernels
        if kernel is not conversion.kernel and kernel.initramfs
    ]
    broken = {kernel.initramfs or "": "no archive" for kernel in others}
    drafted, _ = draft(initramfs.add_virtio, case(name, broken, without=(UPDATE,)))
    assert drafted.blockers == []
    assert {found.code for found in drafted.warnings} == {"W-INITRAMFS"}
    assert "will not boot on KVM: " in drafted.warnings[0].message


def without_virtio() -> Case:
    """A host-only image, and a kernel whose only way to a disk on KVM is AHCI."""
    version = "3.10.0-1160.el7.x86_64"
    folder = f"/lib/modules/{version}"
    dep = load(RHEL).files.read(f"{folder}/modules.dep").decode()
    lines = [line for line in dep.splitlines(keepends=True) if "virtio" not in line]
    libata, scsi = "kernel/drivers/ata/libata.ko", "kernel/drivers/scsi/scsi_mod.ko"
    ahci = {libata: scsi, "kernel/drivers/ata/ahci.ko": f"{libata} {scsi}"}
    lines += [f"{path}: {needs}\n" for path, needs in ahci.items()]
    alias = "alias pci:v*d*sv*sd*bc01sc06i01* ahci\n"
    return case(
        RHEL,
        {
            f"{folder}/modules.dep": "".join(lines),
            f"{folder}/modules.alias": alias,
            **{f"{folder}/{path}": path for path in ahci},
        },
    )


def test_an_emulated_disk_gets_its_driver_into_a_host_only_image() -> None:
    drafted, conversion = draft(initramfs.add_virtio, without_virtio())
    assert conversion.capabilities.block_bus is Bus.sata
    (path,) = (kernel.initramfs for kernel in conversion.guest.kernels)
    contents = look(drafted.read(path or ""))
    there = contents.modules("3.10.0-1160.el7.x86_64")
    assert {"ahci", "libata", "sd_mod"} <= there.keys()
    folder = contents.module_folder("3.10.0-1160.el7.x86_64")
    assert f"{folder}/modules.alias" in contents.paths
    assert drafted.blockers == []
