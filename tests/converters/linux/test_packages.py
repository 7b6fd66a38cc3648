# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from converters.linux.packages import installed
from v2v.files import DictFiles

STATUS = """\
Package: udev
Status: install ok installed
Version: 252.39-1~deb12u2
Description: device manager
 Status: not a field

Package: open-vm-tools
Status: deinstall ok config-files
Version: 2:12

Package: held
Status: hold ok half-configured
Version: 1
"""


def test_packages_count_unless_only_their_configuration_is_left() -> None:
    files = DictFiles({"/var/lib/dpkg/status": STATUS})
    assert installed(files) == {"udev": "252.39-1~deb12u2", "held": "1"}


def test_a_guest_without_dpkg_has_none() -> None:
    assert installed(DictFiles({})) == {}
