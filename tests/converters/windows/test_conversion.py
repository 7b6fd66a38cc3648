# SPDX-License-Identifier: LGPL-2.1-or-later
"""Look-alikes of each Windows on each hypervisor, converted with the drivers of a medium."""

from __future__ import annotations

from pathlib import Path

import pytest

import converters
from drivers.virtio_win import open_media
from fixtures.virtio_win import write_folder
from fixtures.windows import NAMES, boot_content, content, look_alike
from fixtures.windows_releases import Flavour
from tests.conftest import Golden
from tests.converters.guests import described
from v2v.changes import Plan
from v2v.files import DictFiles
from v2v.hive import Hive, Value
from v2v.model import (
    BlockDriver,
    Bus,
    Disk,
    Firmware,
    Guest,
    Hypervisor,
    InitramfsMode,
    Machine,
    Network,
    NetworkKind,
    Nic,
    OsType,
)
from v2v.windows import identify

HYPERVISORS = {
    Flavour.esx: Hypervisor.vmware,
    Flavour.xen: Hypervisor.xen,
    Flavour.hyperv: Hypervisor.hyperv,
}
PLANS = Path(__file__).parents[3] / "fixtures" / "windows_plans"
GOLDEN = ("winxp-esx", "win7-xen", "win10-hyperv", "win11-esx", "win2k12r2-xen", "win2k22-esx")
SCSI_CLASS = "{4D36E97B-E325-11CE-BFC1-08002BE10318}"


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("virtio") / "win")


def tree(name: str) -> DictFiles:
    """The files of C:, with the EFI system partition over the folder for temporary files."""
    files = dict(content(name))
    if look_alike(name).release.efi:
        files |= {f"/Windows/Temp{path}": data for path, data in boot_content(name).items()}
    return DictFiles(files)


def plan(
    name: str,
    files: DictFiles,
    medium: Path | None,
    block_driver: BlockDriver = BlockDriver.virtio_blk,
) -> tuple[Guest, Plan]:
    found = identify(files)
    assert found is not None
    alike = look_alike(name)
    efi = {f"{found.windows.systemroot}/Temp": "/dev/sda1"} if alike.release.efi else {}
    guest = Guest(
        OsType.windows, "windows", found.version, found.product, found.arch,
        Firmware.efi if alike.release.efi else Firmware.bios, "/dev/sda2",
        {"/": "/dev/sda2", **efi}, windows=found.windows,
    )  # fmt: skip
    machine = Machine(
        "test", HYPERVISORS[alike.flavour], name, 2 << 30, 2, (Disk("a.img", None),), Path("/x"),
        nics=(Nic(alike.mac, None, Network(NetworkKind.network, "default")),),
    )  # fmt: skip
    with open_media(medium, {}) as media:
        return converters.plan(
            machine, guest, files, InitramfsMode.auto, media=media, block_driver=block_driver
        )


def converted(name: str, medium: Path, block_driver: BlockDriver) -> DictFiles:
    files = tree(name)
    for change in plan(name, files, medium, block_driver)[1].changes:
        change.apply(files)
    return files


def system(files: DictFiles) -> Hive:
    found = identify(files)
    assert found is not None
    return Hive(files.read(found.windows.system_hive), "SYSTEM")


@pytest.mark.parametrize("name", GOLDEN)
def test_the_plan_is_the_expected_one(name: str, medium: Path, golden: Golden) -> None:
    text = described(*plan(name, tree(name), medium))
    golden(PLANS / f"{name}.txt", text.replace(str(medium), "MEDIUM"))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_converted_needs_no_change(name: str, medium: Path) -> None:
    files = tree(name)
    _, first = plan(name, files, medium)
    assert first.blockers == ()
    assert first.changes
    for change in first.changes:
        assert change.describe()
        assert change.why
        change.apply(files)
    _, again = plan(name, files, medium)
    assert [change.describe() for change in again.changes] == []


def test_a_windows_before_xp_is_refused(medium: Path) -> None:
    files = tree("winxp-esx")
    path = next(path for path in files.content if path.lower().endswith("/config/software"))
    hive = Hive(files.read(path), path)
    key = r"Microsoft\Windows NT\CurrentVersion"
    hive.set(key, {"CurrentVersion": Value.text("5.0")})
    files.content[path] = hive.commit()
    _, made = plan("winxp-esx", files, medium)
    assert [found.code for found in made.blockers] == ["E-GUEST-WINDOWS"]
    assert made.changes == ()


@pytest.mark.parametrize("kind", BlockDriver)
@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("winxp")])
def test_the_driver_of_the_disk_is_bound_to_both_ids(
    name: str, kind: BlockDriver, medium: Path
) -> None:
    files = converted(name, medium, kind)
    service, numbers = ("viostor", ("1001&REV_00", "1042&REV_01"))
    if kind is BlockDriver.virtio_scsi:
        service, numbers = ("vioscsi", ("1004&REV_00", "1048&REV_01"))
    hive = system(files)
    key = rf"ControlSet001\Services\{service}"
    assert (hive.number(key, "Start"), hive.number(key, "Type")) == (0, 1)
    assert hive.text(key, "ImagePath") == rf"system32\drivers\{service}.sys"
    folder = next(path for path in files.content if path.lower().endswith(f"/{service}.sys"))
    assert files.read(folder)[:2] == b"MZ"
    for number in numbers:
        hardware_id = f"VEN_1AF4&DEV_{number}"
        if look_alike(name).release.nt < (6, 2):
            entry = rf"ControlSet001\Control\CriticalDeviceDatabase\PCI#{hardware_id}"
            assert hive.text(entry, "Service") == service
            assert hive.text(entry, "ClassGUID") == SCSI_CLASS
            continue
        ((inf, _),) = hive.values(rf"DriverDatabase\DeviceIds\PCI\{hardware_id}").items()
        label = hive.text(rf"DriverDatabase\DriverInfFiles\{inf}", "Active") or ""
        name_part, arch, digest = label.split("_")
        assert (name_part, len(digest), arch in ("amd64", "x86")) == (inf, 16, True)
        package = rf"DriverDatabase\DriverPackages\{label}"
        configuration = hive.text(rf"{package}\Descriptors\PCI\{hardware_id}", "Configuration")
        assert hive.text(rf"{package}\Configurations\{configuration}", "Service") == service
        version = hive.value(package, "Version")
        assert version is not None
        assert len(version.data) == 48


@pytest.mark.parametrize("name", NAMES)
def test_the_hardware_is_what_windows_has_drivers_for(name: str, medium: Path) -> None:
    _, made = plan(name, tree(name), medium)
    found = made.capabilities
    codes = {warning.code for warning in made.warnings}
    if name.startswith("winxp"):  # there is no driver for it on today's media
        assert (found.machine, found.block_bus, found.net_model) == ("pc", Bus.ide, "rtl8139")
        assert "W-VIRTIO-WIN" in codes
    else:
        assert (found.machine, found.block_bus, found.net_model) == ("q35", Bus.virtio, "virtio")
        assert (found.rng, found.balloon, found.agent) == (True, True, True)
        assert "W-VIRTIO-WIN" not in codes
    assert found.localtime is True


@pytest.mark.parametrize(
    ("name", "nic"), [("win7-esx", "e1000"), ("win10-esx", "e1000e"), ("win2k22-xen", "e1000e")]
)
def test_without_drivers_all_is_emulated(name: str, nic: str, tmp_path: Path) -> None:
    _, made = plan(name, tree(name), tmp_path)
    assert (made.capabilities.block_bus, made.capabilities.net_model) == (Bus.sata, nic)
    (warning,) = (found for found in made.warnings if found.code == "W-VIRTIO-WIN")
    assert str(tmp_path) in warning.message


@pytest.mark.parametrize("name", [name for name in NAMES if look_alike(name).release.efi])
def test_uefi_finds_a_loader_and_shows_a_picture(name: str, medium: Path) -> None:
    files = converted(name, medium, BlockDriver.virtio_blk)
    paths = {path.lower(): path for path in files.content}
    loader = paths["/windows/temp/efi/boot/bootx64.efi"]
    assert files.read(loader) == files.read(paths["/windows/temp/efi/microsoft/boot/bootmgfw.efi"])
    bcd = Hive(files.read(paths["/windows/temp/efi/microsoft/boot/bcd"]), "BCD")
    assert all(
        "16000046" not in bcd.keys(rf"Objects\{guid}\Elements") for guid in bcd.keys("Objects")
    )
