# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each kind of image loads what is put into it."""

from __future__ import annotations

import stat

import pytest

from drivers.compression import Compression
from drivers.initramfs import Initramfs, InitramfsError, Tool, look
from drivers.loading import nash_init
from drivers.modules import Modules, read_modules
from drivers.splice import has_virtio, splice
from tests.converters.ramdisks import image
from tests.drivers.images import FOLDER, VERSION, kernel_files, newc
from v2v.files import DictFiles, Link

GUEST = DictFiles({"/lib": Link("usr/lib"), **kernel_files()})
INIT = """\
#!/bin/nash
mkblkdevs
echo "Loading sd_mod.ko module"
insmod /lib/sd_mod.ko
mkblkdevs
resume LABEL=SWAP
"""


def modules() -> Modules:
    return read_modules(GUEST, VERSION)


def spliced(tool: str) -> Initramfs:
    paths = ["kernel/drivers/scsi/scsi_mod.ko"]
    data = image(VERSION, paths, {}, Compression.gzip, tool)
    new = splice(Initramfs("/boot/initrd", data, look(data)), modules(), GUEST)
    return Initramfs("/boot/initrd", new, look(new))


@pytest.mark.parametrize("tool", ["dracut", "suse", "make-initrd", "mkinitfs"])
def test_what_loads_by_alias_needs_the_index_alone(tool: str) -> None:
    contents = spliced(tool).contents
    assert has_virtio(contents, modules())
    folder = contents.module_folder(VERSION)
    assert f"{folder}/modules.alias.bin" in contents.paths


def test_nash_loads_modules_from_lib_in_the_order_of_their_needs() -> None:
    contents = spliced("nash").contents
    assert contents.tool is Tool.nash
    assert has_virtio(contents, modules())
    assert f"{FOLDER}/modules.dep" not in contents.paths
    lines = contents.files["init"].decode().splitlines()
    loaded = [line.split("/")[-1].strip() for line in lines if line.startswith("insmod")]
    assert loaded == [
        *("scsi_mod.ko", "virtio.ko", "virtio_ring.ko", "virtio_pci.ko", "virtio_blk.ko"),
        *("virtio_scsi.ko", "crc_t10dif.ko", "sd_mod.ko"),
    ]


def test_a_script_that_is_replaced_stays_executable() -> None:
    head = newc({"init": INIT.encode()}, trailer=False).replace(b"000081a4", b"000081ed")
    data = head + newc({"bin/nash": b"", "lib": None})
    new = look(splice(Initramfs("/boot/initrd", data, look(data)), modules(), GUEST))
    assert stat.S_IMODE(new.paths["init"]) == 0o755
    assert stat.S_IMODE(new.paths["lib/virtio_blk.ko"]) == 0o644


def test_mkinitcpio_without_udev_loads_what_its_configuration_lists() -> None:
    contents = spliced("mkinitcpio").contents
    assert 'MODULES="ext4 virtio_pci virtio_blk virtio_scsi sd_mod"' in (
        contents.files["config"].decode().splitlines()
    )


def test_booster_is_left_to_booster() -> None:
    with pytest.raises(InitramfsError, match="booster loads only what its own list"):
        spliced("booster")


def test_nash_loads_before_it_looks_for_disks() -> None:
    assert nash_init(INIT, ["x"]) == INIT.replace(
        "sd_mod.ko\nmkblkdevs", 'sd_mod.ko\necho "Loading x.ko module"\ninsmod /lib/x.ko\nmkblkdevs'
    )
    assert nash_init("hotplug\nmkblkdevs\nresume x\n", ["x"]) == (
        'hotplug\necho "Loading x.ko module"\ninsmod /lib/x.ko\nmkblkdevs\nresume x\n'
    )
    assert nash_init("insmod /lib/a.ko\n", ["x"]).endswith("insmod /lib/x.ko\nmkblkdevs\n")


def test_a_script_of_another_form_is_not_touched() -> None:
    with pytest.raises(InitramfsError, match="its /init loads no module"):
        nash_init("#!/bin/sh\nexec /sbin/init\n", ["x"])
