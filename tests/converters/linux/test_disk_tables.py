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
