# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import boot_sources
from tests.converters.linux.drafting import case, described, draft

XEN, KVM = "xen-pygrub-debian12", "kvm-ready-debian12"


def test_defaults_of_the_drop_in_folder_count() -> None:
    content = {"/etc/default/grub.d/50-cloud.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0"\n'}
    drafted, _ = draft(boot_sources.edit_variables, case("vmware-debian12", content))
    assert "console" not in drafted.text("/etc/default/grub")


def test_roots_by_device_are_switched_off_once() -> None:
    text = "GRUB_DISABLE_LINUX_UUID=true\n"
    drafted, _ = draft(boot_sources.edit_variables, case(KVM, {"/etc/default/grub": text}))
    assert drafted.text("/etc/default/grub") == f"#{text}"
    drafted, _ = draft(boot_sources.edit_variables, case(KVM, {"/etc/default/grub": f"#{text}"}))
    assert described(drafted) == []


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (
            "/etc/update-extlinux.conf",
            'root=/dev/xvda1\ndefault_kernel_opts="quiet console=hvc0"\n',
            'root="UUID=0b1e0450-c797-4107-8bdb-87030c2ed51c"\n'
            'default_kernel_opts="quiet console=ttyS0,115200"\n',
        ),
        (
            "/etc/default/extlinux",
            'EXTLINUX_ROOT="root=/dev/xvda1"\nEXTLINUX_PARAMETERS="ro quiet"\n',
            'EXTLINUX_ROOT="root=UUID=0b1e0450-c797-4107-8bdb-87030c2ed51c"\n'
            'EXTLINUX_PARAMETERS="ro quiet console=tty0 console=ttyS0,115200"\n',
        ),
        (
            "/etc/sysconfig/bootloader",
            'LOADER_TYPE="grub"\nDEFAULT_APPEND="resume=/dev/xvda2 splash=silent console=ttyS0"\n',
            'LOADER_TYPE="grub"\nDEFAULT_APPEND="resume=UUID=1c3d3d6e-0001-4000-8000-000000000002 '
            'splash=silent console=ttyS0"\n',
        ),
        ("/etc/sysconfig/bootloader", 'LOADER_TYPE="grub2"\n', 'LOADER_TYPE="grub2"\n'),
    ],
)
def test_variables_of_every_tool_are_edited(path: str, old: str, new: str) -> None:
    drafted, _ = draft(boot_sources.edit_variables, case(XEN, {path: old}))
    assert drafted.text(path) == new


def test_the_command_line_of_kernel_install_is_edited_as_a_whole() -> None:
    content = {"/etc/kernel/cmdline": "root=/dev/xvda1 ro console=hvc0 root=/dev/xvdq1\n"}
    drafted, _ = draft(boot_sources.edit_lines, case(XEN, content))
    assert drafted.text("/etc/kernel/cmdline") == (
        "root=UUID=0b1e0450-c797-4107-8bdb-87030c2ed51c ro console=ttyS0,115200 root=/dev/xvdq1\n"
    )
    assert [found.code for found in drafted.warnings] == ["W-DISK-NAME"]


def test_the_boot_disk_of_red_hats_tools_gets_its_new_name() -> None:
    text = "boot=/dev/xvda\nforcelba=0\n"
    drafted, _ = draft(boot_sources.rename_boot_disk, case(XEN, {"/etc/sysconfig/grub": text}))
    assert drafted.text("/etc/sysconfig/grub") == "boot=/dev/vda\nforcelba=0\n"
