# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drivers on a medium like virtio-win.iso, and what each Windows gets of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from drivers.virtio_win import DriverSet, open_media
from drivers.windows_devices import PCI_IDS, Device
from fixtures.signatures import signed
from fixtures.virtio_win import VERSION, write_folder, write_iso
from v2v.errors import DriverError
from v2v.windows_guest import Windows

_EVERYWHERE = "viostor vioscsi netkvm balloon vioser viorng vioinput pvpanic"
NAMES = _EVERYWHERE.split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("virtio") / "win")


def windows(nt: tuple[int, int], build: int, *, server: bool = False) -> Windows:
    return Windows("/Windows", "", "", "", nt, build, "Server" if server else "Client")


def program(name: str) -> bytes:
    return signed(0x8664) + name.encode()


def chosen(
    path: Path | None,
    guest: Windows,
    arch: str = "x86_64",
    environ: Mapping[str, str] | None = None,
) -> DriverSet:
    with open_media(path, environ or {}) as media:
        return media.choose(guest, arch)


@pytest.mark.parametrize(
    ("guest", "arch", "more"),
    [
        (windows((6, 1), 7601), "i686", ()),
        (windows((6, 1), 7601), "x86_64", ()),
        (windows((6, 3), 9600, server=True), "x86_64", ("viogpudo",)),
        (windows((10, 0), 19045), "x86_64", ("viogpudo", "viosock", "fwcfg")),
        (windows((10, 0), 19045), "i686", ("viogpudo", "viosock", "fwcfg")),
        (windows((10, 0), 22631), "aarch64", ("viogpudo", "viosock", "fwcfg")),
        (windows((10, 0), 26100, server=True), "x86_64", ("viogpudo", "viosock", "fwcfg")),
    ],
    ids=["w7-x86", "w7", "2k12r2", "w10", "w10-x86", "w11-arm64", "2k25"],
)
def test_each_windows_has_its_drivers(
    folder: Path, guest: Windows, arch: str, more: tuple[str, ...]
) -> None:
    found = chosen(folder, guest, arch)
    assert {package.name for package in found.packages} == {*NAMES, *more}


@pytest.mark.parametrize("nt", [(5, 1), (5, 2), (6, 0)])
def test_an_old_windows_gets_none_that_is_not_for_it(folder: Path, nt: tuple[int, int]) -> None:
    found = chosen(folder, windows(nt, 2600), "i686")
    assert found.packages == ()
    assert found.searched == str(folder)


def test_a_package_has_all_that_its_inf_names_and_no_more(folder: Path) -> None:
    package = chosen(folder, windows((10, 0), 20348, server=True)).get(Device.net)
    assert package is not None
    assert sorted(package.files) == ["netkvm.cat", "netkvm.inf", "netkvm.sys", "netkvmco.exe"]
    assert (package.service, package.binary) == ("netkvm", "netkvm.sys")
    assert package.version == VERSION
    assert package.class_guid == "{4d36e972-e325-11ce-bfc1-08002be10318}"
    assert r"PCI\VEN_1AF4&DEV_1041" in package.hardware_ids


@pytest.mark.parametrize(
    ("guest", "better", "worse"),
    [
        (windows((10, 0), 22631), "w11", "w10"),
        (windows((10, 0), 19045), "w10", "2k16"),
        (windows((10, 0), 26100, server=True), "2k25", "2k22"),
        (windows((10, 0), 20348, server=True), "2k22", "2k25"),
    ],
)
def test_the_folder_decides_among_those_that_fit(
    tmp_path: Path, guest: Windows, better: str, worse: str
) -> None:
    top = write_folder(tmp_path / "m")
    for name in (better, worse):
        (top / f"viostor/{name}/amd64/viostor.sys").write_bytes(program(name))
    package = chosen(top, guest).get(Device.blk)
    assert package is not None
    assert package.files["viostor.sys"] == program(better)


def test_without_its_folder_the_next_older_of_its_kind_is_taken(tmp_path: Path) -> None:
    top = write_folder(tmp_path / "m")
    for name in ("2k19", "2k16", "w10"):
        (top / f"viostor/{name}/amd64/viostor.sys").write_bytes(program(name))
    for path in sorted((top / "viostor").glob("2k2[25]/amd64/*")):
        path.unlink()
    package = chosen(top, windows((10, 0), 20348, server=True)).get(Device.blk)
    assert package is not None
    assert package.files["viostor.sys"] == program("2k19")


def test_a_driver_that_windows_starts_with_is_better_than_one_for_a_newer_windows(
    tmp_path: Path,
) -> None:
    top = write_folder(tmp_path / "m")
    for name in ("2k12r2", "w8.1"):
        (top / f"viostor/{name}/amd64/viostor.sys").write_bytes(signed(0x8664, ()))
    package = chosen(top, windows((6, 3), 9600, server=True)).get(Device.blk)
    assert package is not None
    assert package.files["viostor.sys"] == (top / "viostor/2k8r2/amd64/viostor.sys").read_bytes()
    assert package.refused is None


def test_a_driver_that_windows_does_not_start_with_says_why(tmp_path: Path) -> None:
    top = write_folder(tmp_path / "m")
    for path in top.glob("viostor/*/*/viostor.sys"):
        path.write_bytes(signed(0x8664, issuer="VirtIO Test Root"))
    package = chosen(top, windows((10, 0), 19045)).get(Device.blk)
    assert package is not None
    assert package.refused == "its signature is not by way of Microsoft"


def test_a_driver_whose_program_is_missing_is_not_taken(tmp_path: Path) -> None:
    top = write_folder(tmp_path / "m")
    for path in top.glob("viostor/*/*/viostor.sys"):
        path.unlink()
    assert chosen(top, windows((10, 0), 19045)).get(Device.blk) is None


def test_the_agent_is_that_of_the_architecture(folder: Path) -> None:
    found = chosen(folder, windows((10, 0), 19045), "i686")
    assert found.agent is not None
    assert found.agent[0] == "qemu-ga-i386.msi"
    assert found.blnsvr is not None
    assert chosen(folder, windows((10, 0), 22631), "aarch64").agent is None


def test_an_image_says_the_same_as_a_folder(folder: Path, tmp_path: Path) -> None:
    guest = windows((10, 0), 22631)
    image = write_iso(tmp_path / "virtio-win.iso")
    from_image, from_folder = chosen(image, guest), chosen(folder, guest)
    assert from_image.packages == from_folder.packages
    assert from_image.agent == from_folder.agent


def test_the_medium_is_found_by_option_then_environment(folder: Path, tmp_path: Path) -> None:
    guest = windows((10, 0), 19045)
    assert chosen(None, guest, environ={"VIRTIO_WIN": str(folder)}).packages
    empty = tmp_path / "empty"
    empty.mkdir()
    assert chosen(empty, guest, environ={"VIRTIO_WIN": str(folder)}).packages == ()


@pytest.mark.parametrize("content", [None, b"", b"CD001" * 9000], ids=["absent", "empty", "junk"])
def test_a_medium_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "medium.iso"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DriverError) as caught:
        chosen(path, windows((10, 0), 19045))
    assert caught.value.finding.code == "E-DRIVER-MEDIUM"


def test_boot_drivers_are_bound_to_both_ids() -> None:
    assert PCI_IDS[Device.blk].hardware_ids == (
        "VEN_1AF4&DEV_1001&REV_00",
        "VEN_1AF4&DEV_1042&REV_01",
    )
    assert PCI_IDS[Device.scsi].hardware_ids == (
        "VEN_1AF4&DEV_1004&REV_00",
        "VEN_1AF4&DEV_1048&REV_01",
    )


def test_the_service_program_of_the_host_is_offered(tmp_path: Path) -> None:
    guest = windows((10, 0), 19045)
    assert chosen(tmp_path, guest, environ={"VIRT_TOOLS_DATA_DIR": str(tmp_path)}).wrapper is None
    (tmp_path / "rhsrvany.exe").write_bytes(b"MZ")
    found = chosen(tmp_path, guest, environ={"VIRT_TOOLS_DATA_DIR": str(tmp_path)})
    assert found.wrapper == ("rhsrvany.exe", b"MZ")
