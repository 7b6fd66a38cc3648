# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.display import use_any_graphics
from tests.converters.linux.drafting import case, described, draft

PATH = "/etc/X11/xorg.conf"
DEP = "/lib/modules/{}/modules.dep"
OLD = "2.6.32-5-amd64"
SECTION = 'Section "Device"\n\tDriver "{}"\n\tBusID "PCI:0:15:0"\nEndSection\n'
NEW = 'Section "Device"\n\tDriver "{}"\nEndSection\n'


@pytest.mark.parametrize("driver", ["vmware", "VMware", "cirrus", "vboxvideo"])
def test_a_card_that_is_gone_gets_the_kernels_driver(driver: str) -> None:
    drafted, _ = draft(use_any_graphics, case("vmware-debian12", {PATH: SECTION.format(driver)}))
    assert drafted.text(PATH) == NEW.format("modesetting")


def test_a_kernel_without_a_driver_for_the_card_leaves_it_to_the_bios() -> None:
    guest = case("xen-hvm-debian6-grub-legacy", {PATH: SECTION.format("cirrus")})
    drafted, _ = draft(use_any_graphics, guest)
    assert drafted.text(PATH) == NEW.format("vesa")
    index = guest.files.content[DEP.format(OLD)]
    assert isinstance(index, bytes)
    guest.files.content[DEP.format(OLD)] = index + b"kernel/drivers/gpu/drm/bochs/bochs-drm.ko:\n"
    drafted, _ = draft(use_any_graphics, guest)
    assert drafted.text(PATH) == NEW.format("modesetting")


def test_other_drivers_stay() -> None:
    guest = case("vmware-debian12", {PATH: SECTION.format("fbdev")})
    assert described(draft(use_any_graphics, guest)[0]) == []
