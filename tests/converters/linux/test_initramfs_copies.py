# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an image has copied from its guest follows the guest."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from converters.linux import prepare
from converters.linux.initramfs_copies import copies
from drivers.initramfs import InitramfsError, look
from tests.converters.linux.drafting import case
from tests.drivers.images import newc
from v2v.changes import Draft
from v2v.model import InitramfsMode

RHEL, LUKS = "vmware-rhel7-dracut-hostonly", "vmware-luks-crypttab"
ROOT = "aaaaaaaa-0063-4000-8000-000000000001"
HOOKS = "usr/lib/dracut/hooks"
WAITS = b"[Unit]\nJobTimeoutSec=0\nJobRunningTimeoutSec=0\n"
GIVES_UP = b"[Unit]\nJobTimeoutSec=1\nJobRunningTimeoutSec=1\n"


def changed(
    files: Mapping[str, str], edits: Mapping[str, str] | None = None, name: str = RHEL
) -> dict[str, str]:
    """The copies that change in an image with these files; ``edits`` are drafted before."""
    guest = case(name, {})
    draft = Draft(guest.files)
    for path, text in (edits or {}).items():
        draft.write(path, text, why="it is asked for")
    names = prepare(draft, guest.machine, guest.guest, InitramfsMode.auto).names
    old = {path: text.encode() for path, text in files.items()}
    new = copies(draft, look(newc(old)), names)
    return {path: data.decode() for path, data in new.items() if old.get(path) != data}


def test_kernel_arguments_of_a_host_only_image_are_renamed() -> None:
    text = " root=/dev/sda1 rootfstype=xfs \n"
    assert changed({"etc/cmdline.d/95root-dev.conf": text}) == {
        "etc/cmdline.d/95root-dev.conf": f" root=UUID={ROOT} rootfstype=xfs \n"
    }


@pytest.mark.parametrize("name", ["/dev/sda1", "/dev/disk/by-path/pci-0000:03:00.0-part1"])
def test_dracut_waits_for_the_disk_by_a_name_that_comes(name: str) -> None:
    there = f"{HOOKS}/initqueue/finished/devexists-x.sh"
    warns = f"{HOOKS}/emergency/80-x.sh"
    new = f"/dev/disk/by-uuid/{ROOT}"
    assert changed({
        there: f'[ -e "{name}" ]\n',
        warns: f'[ -e "{name}" ] || warn "\\"{name}\\" does not exist"\n',
    }) == {
        there: f'[ -e "{new}" ]\n',
        warns: f'[ -e "{new}" ] || warn "\\"{new}\\" does not exist"\n',
    }  # fmt: skip


def test_what_comes_on_kvm_too_is_waited_for_as_before() -> None:
    name = "dev-disk-by\\x2duuid-1234.device.d"
    assert changed({
        f"{HOOKS}/initqueue/finished/devexists-x.sh": '[ -e "/dev/disk/by-uuid/1234" ]\n',
        f"{HOOKS}/initqueue/finished/wait.sh": '[ -e "/dev/sdz9" ]\n',
        f"etc/systemd/system/{name}/timeout.conf": WAITS.decode(),
    }) == {}  # fmt: skip


def test_a_disk_of_nobody_is_not_waited_for() -> None:
    with pytest.raises(InitramfsError, match="waits for /dev/sdz9, which is none of the guest's"):
        changed({f"{HOOKS}/initqueue/finished/devexists-x.sh": '[ -e "/dev/sdz9" ]\n'})


@pytest.mark.parametrize(
    "unit", ["dev-sda1", "dev-disk-by\\x2dpath-pci\\x2d0000:03:00.0\\x2dpart1"]
)
def test_systemd_does_not_wait_for_an_old_name_without_end(unit: str) -> None:
    path = f"etc/systemd/system/{unit}.device.d/timeout.conf"
    assert changed({path: WAITS.decode()}) == {path: GIVES_UP.decode()}


def test_a_copy_that_is_like_the_guests_file_stays_like_it() -> None:
    rules = "etc/udev/rules.d/70-persistent-net.rules"
    old = case(RHEL, {}).files.read(f"/{rules}").decode()
    edits = {f"/{rules}": "# between\n"}
    assert changed({rules: old}, edits) == {rules: "# between\n"}
    assert changed({rules: "# another\n"}, edits) == {}


def test_a_file_that_is_edited_twice_is_copied_as_it_was_before_both() -> None:
    guest = case(RHEL, {})
    draft = Draft(guest.files)
    old = draft.read("/etc/fstab")
    for text in ("once\n", "twice\n"):
        draft.write("/etc/fstab", text, why="it is asked for")
    names = prepare(draft, guest.machine, guest.guest, InitramfsMode.auto).names
    assert copies(draft, look(newc({"etc/fstab": old})), names)["etc/fstab"] == b"twice\n"


def test_lvms_list_of_devices_is_turned_off() -> None:
    devices = {"etc/lvm/devices/system.devices": "IDTYPE=sys_wwid IDNAME=naa.6000c29 PVID=x\n"}
    off = "devices {\n\tuse_devicesfile = 0\n}\n"
    assert changed(devices) == {"etc/lvm/lvmlocal.conf": off}
    local = {"etc/lvm/lvmlocal.conf": "# mine\n"}
    assert changed(devices | local) == {"etc/lvm/lvmlocal.conf": f"# mine\n{off}"}
    assert changed(devices | {"etc/lvm/lvmlocal.conf": off}) == {}
    assert changed({"etc/lvm/devices/system.devices": ""}) == {}


def test_the_disks_of_suses_mkinitrd_are_paths() -> None:
    path = "config/storage.sh"
    assert changed({path: "fallback_rootdev='/dev/sda1'\nresumedev=/dev/sdz9\n"}) == {
        path: f"fallback_rootdev='/dev/disk/by-uuid/{ROOT}'\nresumedev=/dev/sdz9\n"
    }


def test_nash_gets_the_names_that_it_makes_itself() -> None:
    text = "resume /dev/sda2\nmkrootdev -t ext3 -o ro /dev/sda1\nmount /dev/sda1 /x\n"
    assert changed({"init": text}) == {
        "init": "resume /dev/vda2\nmkrootdev -t ext3 -o ro /dev/vda1\nmount /dev/sda1 /x\n"
    }
    assert changed({"init": "resume LABEL=SWAP\n"}) == {}


def test_tables_and_settings_are_renamed() -> None:
    found = changed(
        {
            "conf/conf.d/resume": "RESUME=/dev/sda2\n",
            "etc/lvm/lvm.conf": 'filter = [ "a|/dev/sda|", "r|.*|" ]\n',
            "etc/fstab": "/dev/sda1 /sysroot xfs defaults\n",
            "etc/crypttab": "c /dev/sda2 none\n",
            "etc/other.conf": "/dev/sda1\n",
        }
    )
    assert sorted(found) == ["conf/conf.d/resume", "etc/crypttab", "etc/fstab", "etc/lvm/lvm.conf"]
    assert found["etc/fstab"] == f"UUID={ROOT} /sysroot xfs defaults\n"
