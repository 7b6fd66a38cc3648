# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from converters.linux import disk_tables
from tests.converters.linux.names import LUKS, ROOT, SWAP, names


def test_fstab_keeps_comments_spacing_and_order() -> None:
    old = (
        "# /dev/xvda1 was here\n"
        "\n"
        "  /dev/xvda1\t/   ext4 defaults 0 1 # root\n"
        "/dev/xvda2 none swap sw 0 0\r\n"
        "#/dev/xvda2 none swap sw 0 0\n"
        "LABEL=data /data ext4 nofail 0 2"
    )
    new = disk_tables.fstab(old, names())
    assert new.text == (
        "# /dev/xvda1 was here\n"
        "\n"
        f"  UUID={ROOT}\t/   ext4 defaults 0 1 # root\n"
        f"UUID={SWAP} none swap sw 0 0\r\n"
        "#/dev/xvda2 none swap sw 0 0\n"
        "LABEL=data /data ext4 nofail 0 2"
    )
    assert new.unknown == ()


def test_fstab_names_the_disks_that_there_are_not() -> None:
    old = "/dev/xvdq1 /q ext4 defaults 0 2\n/dev/xvdz /media/cdrom iso9660 ro,noauto 0 0\n"
    new = disk_tables.fstab(old, names())
    assert new.text == old
    assert new.unknown == ("/dev/xvdq1",)


_LINES = st.lists(
    st.sampled_from(
        [
            "",
            "#",
            " ",
            "UUID=1 / ext4",
            "tmpfs /tmp tmpfs size=1m 0 0",
            "/dev/mapper/a-b /b",
            "\t#x",
            "x",
        ]
    )
    | st.text(
        st.characters(codec="utf-8", exclude_characters="/\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
    )
)


@given(_LINES)
def test_fstab_without_old_names_stays_as_it_is(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert disk_tables.fstab(text, names()).text == text


def test_crypttab_names_luks_by_its_uuid() -> None:
    old = "root\t/dev/xvda5  none luks,discard # main\nother UUID=1 none\n"
    new = disk_tables.crypttab(old, names())
    assert new.text == f"root\tUUID={LUKS}  none luks,discard # main\nother UUID=1 none\n"


def test_crypttab_gives_no_uuid_to_what_is_encrypted_anew_at_each_boot() -> None:
    old = "swap /dev/xvda2 /dev/urandom swap\nscratch /dev/xvda2 none plain,cipher=aes\n"
    new = disk_tables.crypttab(old, names())
    assert new.text == "swap /dev/vda2 /dev/urandom swap\nscratch /dev/vda2 none plain,cipher=aes\n"


def test_resume_devices_are_renamed_with_their_quotes() -> None:
    old = '# RESUME=/dev/xvda2\nRESUME=/dev/xvda2\nRESUME="/dev/xvda2"\nRESUME=none\n'
    old += "resume device = /dev/xvda2\nRESUME=/dev/xvdq1\nRESUME=/dev/mapper/vg-swap\n"
    new = disk_tables.assignments(old, names())
    assert new.text == (
        f'# RESUME=/dev/xvda2\nRESUME=UUID={SWAP}\nRESUME="UUID={SWAP}"\nRESUME=none\n'
        f"resume device = UUID={SWAP}\nRESUME=/dev/xvdq1\nRESUME=/dev/mapper/vg-swap\n"
    )
    assert new.unknown == ("/dev/xvdq1",)


def test_an_lvm_filter_accepts_the_new_names_too_and_only_once() -> None:
    old = 'filter = [ "a|/dev/xvda.*|", "a|^/dev/sd|", "r|.*|" ]\n# filter = [ "a|xvd|" ]\n'
    new = disk_tables.lvm_filter(old, names()).text
    assert new == (
        'filter = [ "a|/dev/vda.*|", "a|/dev/xvda.*|", "a|^/dev/vd|", "a|^/dev/sd|", "r|.*|" ]\n'
        '# filter = [ "a|xvd|" ]\n'
    )
    assert disk_tables.lvm_filter(new, names()).text == new


def test_folders_shared_with_the_old_host_are_commented_out() -> None:
    old = ".host:/ /mnt vmhgfs defaults 0 0\n# x y vboxsf\n\nshare /s vboxsf rw 0 0\n"
    assert disk_tables.without_shared_folders(old) == (
        "#.host:/ /mnt vmhgfs defaults 0 0\n# x y vboxsf\n\n#share /s vboxsf rw 0 0\n"
    )


def test_a_filter_by_other_names_of_disks_accepts_the_new_ones() -> None:
    for name in ("/dev/mapper/mpath.*", "^/dev/disk/by-id/scsi-3[0-9a-f]*", "/dev/nvme0n1p[12]"):
        old = f'global_filter = [ "a|{name}|", "r|.*|" ]\n'
        new = disk_tables.lvm_filter(old, names()).text
        assert new == f'global_filter = [ "a|^/dev/vd|", "a|{name}|", "r|.*|" ]\n'
        assert disk_tables.lvm_filter(new, names()).text == new


def test_devices_in_the_options_of_fstab_are_renamed() -> None:
    old = (
        "LABEL=data /d xfs noatime,logdev=/dev/xvdb2,rtdev=/dev/mapper/vg-rt 0 0\n"
        "LABEL=b /b btrfs device=/dev/xvda1,device=/dev/xvdz9\n"
        "# LABEL=x /x xfs logdev=/dev/xvdb2\n"
    )
    assert disk_tables.fstab(old, names()).text == (
        "LABEL=data /d xfs noatime,logdev=/dev/vdb2,rtdev=/dev/mapper/vg-rt 0 0\n"
        "LABEL=b /b btrfs device=/dev/vda1,device=/dev/xvdz9\n"
        "# LABEL=x /x xfs logdev=/dev/xvdb2\n"
    )


def test_disks_are_renamed_to_paths_wherever_they_are_mentioned() -> None:
    old = (
        "# raw /dev/xvda2\n; /dev/xvda2\nraw /dev/xvdb2 and:/dev/xvda1\n"
        'x="root=/dev/xvda1 /dev/sr0"\nnot/dev/xvda1 /dev/xvdq1\n'
    )
    new = disk_tables.mentions(old, names())
    assert new.text == (
        f"# raw /dev/xvda2\n; /dev/xvda2\nraw /dev/vdb2 and:/dev/disk/by-uuid/{ROOT}\n"
        f'x="root=/dev/disk/by-uuid/{ROOT} /dev/sr0"\nnot/dev/xvda1 /dev/xvdq1\n'
    )
    assert new.unknown == ("/dev/xvdq1",)


def test_smartd_is_told_of_no_disk_that_has_no_smart() -> None:
    old = "DEVICESCAN -m root\n\n# /dev/xvda\n/dev/xvda -a\n/dev/twe0 -d 3ware,0\n"
    new = disk_tables.smartd(old, names()).text
    assert new == old.replace("\n/dev/xvda", "\n#/dev/xvda")
    assert disk_tables.smartd(new, names()).text == new


def test_mdadm_looks_at_all_disks_where_it_looked_at_the_old_ones() -> None:
    old = (
        "DEVICE /dev/xvd[ab]1\n"
        "DEVICE /dev/xvda*\n"
        "DEVICE partitions containers\n"
        "DEVICE /dev/disk/by-label/x\n"
        "# DEVICE /dev/xvda1\n"
        "ARRAY /dev/md0 devices=/dev/xvda1,/dev/xvdb1,/dev/xvdq1 UUID=1:2:3:4\n"
    )
    new = disk_tables.mdadm_conf(old, names())
    assert new.text == (
        "DEVICE partitions\n"
        "DEVICE partitions\n"
        "DEVICE partitions containers\n"
        "DEVICE /dev/disk/by-label/x\n"
        "# DEVICE /dev/xvda1\n"
        "ARRAY /dev/md0 devices=/dev/vda1,/dev/vdb1,/dev/xvdq1 UUID=1:2:3:4\n"
    )
    assert disk_tables.mdadm_conf(new.text, names()).text == new.text
