# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel's drivers are found in its index, its built-ins and its configuration."""

from __future__ import annotations

import pytest

from drivers.modules import read_modules
from drivers.virtio import BLK_BOOT, SCSI_BOOT
from tests.drivers.images import CORE, VERSION, kernel_files
from v2v.files import DictFiles, Link
from v2v.model import Driver

CONFIG = "CONFIG_VIRTIO_PCI=y\n# CONFIG_VIRTIO_BLK is not set\nCONFIG_SCSI_VIRTIO=m\n"


def test_a_driver_is_built_in_a_module_or_missing() -> None:
    files = DictFiles({"/lib": Link("usr/lib"), **_dict(kernel_files())})
    modules = read_modules(files, VERSION)
    assert modules.folder == CORE
    assert modules.driver("blk") is Driver.module
    assert modules.driver("rng") is Driver.module
    assert modules.driver("console") is Driver.builtin
    assert modules.driver("balloon") is Driver.missing
    assert modules.indexed


def test_modules_come_after_all_that_they_need() -> None:
    files = DictFiles({"/lib": Link("usr/lib"), **_dict(kernel_files())})
    modules = read_modules(files, VERSION)
    assert modules.closure((*BLK_BOOT, "no_such", "virtio_console")) == (
        *("virtio", "virtio_ring", "virtio_pci", "virtio_blk"),
    )
    assert modules.closure(SCSI_BOOT)[3:] == ("scsi_mod", "virtio_scsi", "crc_t10dif", "sd_mod")


@pytest.mark.parametrize("place", [f"/boot/config-{VERSION}", f"/lib/modules/{VERSION}/config"])
def test_the_configuration_tells_of_kernels_without_a_list_of_built_ins(place: str) -> None:
    modules = read_modules(DictFiles({place: CONFIG}), VERSION)
    assert modules.driver("pci") is Driver.builtin
    assert modules.driver("blk") is Driver.missing
    assert modules.driver("scsi") is Driver.missing  # said to be a module, and no file is there
    assert not modules.xen_only


@pytest.mark.parametrize("option", ["CONFIG_X86_XEN=y", "CONFIG_X86_64_XEN=y"])
def test_a_xenlinux_kernel_is_known_by_its_configuration(option: str) -> None:
    assert read_modules(DictFiles({"/boot/config-2.6.18-xen": option}), "2.6.18-xen").xen_only
    pvops = DictFiles({"/boot/config-2.6.18-xen": "CONFIG_XEN=y\nCONFIG_XEN_PVHVM=y\n"})
    assert not read_modules(pvops, "2.6.18-xen").xen_only


def test_an_old_index_has_absolute_paths() -> None:
    below = "/lib/modules/2.6.18/"
    dep = f"{below}kernel/virtio_blk.ko: {below}kernel/virtio.ko\n{below}kernel/virtio.ko:\n"
    modules = read_modules(DictFiles({f"{below}modules.dep": dep}), "2.6.18")
    assert modules.paths["virtio_blk"] == "kernel/virtio_blk.ko"
    assert modules.closure(["virtio_blk"]) == ("virtio", "virtio_blk")


def test_without_an_index_the_folders_are_searched() -> None:
    files = DictFiles(
        {
            "/lib/modules/5.4/kernel/drivers/block/virtio_blk.ko.zst": b"",
            "/lib/modules/5.4/kernel/drivers/char/hw_random/virtio-rng.ko": b"",
            "/lib/modules/5.4/kernel/drivers/virtio/virtio_pci.c": b"",
        }
    )
    modules = read_modules(files, "5.4")
    assert modules.paths == {
        "virtio_blk": "kernel/drivers/block/virtio_blk.ko.zst",
        "virtio_rng": "kernel/drivers/char/hw_random/virtio-rng.ko",
    }
    assert not modules.indexed


def _dict(files: dict[str, bytes | str]) -> dict[str, bytes | str | Link]:
    return {**files}
