# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import kernel_modules
from tests.converters.linux.drafting import case, described, draft

RHEL5, CONF = "vmware-rhel5-mkinitrd", "/etc/modprobe.conf"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "alias eth0 e1000\nalias scsi_hostadapter mptbase\nalias scsi_hostadapter1 mptspi\n",
            "alias eth0 virtio_net\nalias scsi_hostadapter virtio_blk\n"
            "alias scsi_hostadapter1 mptspi\n",
        ),
        ("alias eth0 xennet\n", "alias eth0 virtio_net\nalias scsi_hostadapter virtio_blk\n"),
        ("alias scsi_hostadapter1 virtio_blk\n", None),
        ("include /etc/modprobe.d/*\n", None),
    ],
)
def test_aliases_of_cards_and_disks_name_virtio(before: str, after: str | None) -> None:
    drafted, _ = draft(kernel_modules.rename_driver_aliases, case(RHEL5, {CONF: before}))
    assert drafted.text(CONF) == (before if after is None else after)


def test_without_virtio_the_aliases_stay() -> None:
    dep = "/lib/modules/2.6.18-398.el5/modules.dep"
    guest = case(RHEL5, {dep: "kernel/fs/ext4/ext4.ko:\n"})
    drafted, _ = draft(kernel_modules.rename_driver_aliases, guest)
    assert described(drafted) == []


def test_guests_without_the_file_have_no_aliases_to_rename() -> None:
    drafted, _ = draft(kernel_modules.rename_driver_aliases, case("xen-pygrub-debian12", {}))
    assert described(drafted) == []
