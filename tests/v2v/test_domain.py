# SPDX-License-Identifier: LGPL-2.1-or-later
"""Golden domains: fixtures/domains/NAME.xml, one for each case, rewritten by --regenerate."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import libvirt
import pytest
from lxml import etree

from tests.conftest import Golden
from v2v.changes import Direct
from v2v.domain import Domain, File, define_domain
from v2v.errors import TargetError
from v2v.model import (
    Allocation,
    Bus,
    Capabilities,
    DiskFormat,
    Display,
    Firmware,
    Guest,
    Hypervisor,
    Machine,
    Network,
    NetworkKind,
    Nic,
    OsType,
    Removable,
    RemovableKind,
    TargetDisk,
    Topology,
)
from v2v.run import run
from v2v.version import VERSION
from v2v.windows_guest import Windows

DOMAINS = Path(__file__).parents[2] / "fixtures/domains"
GIB = 1 << 30
MODERN = Capabilities()
CDROM = Removable(RemovableKind.cdrom, Bus.ide, 0)
FLOPPY = Removable(RemovableKind.floppy)

XEN = Machine(
    kind="xl", hypervisor=Hypervisor.xen, name="xen-web", memory_bytes=2 * GIB, vcpus=2, disks=(),
    folder=Path("/etc/xen"),
    nics=(Nic("00:16:3e:01:02:03", None, Network(NetworkKind.bridge, "xenbr0")),),
)  # fmt: skip
VMWARE = Machine(
    kind="vmx", hypervisor=Hypervisor.vmware, name="esx-app", memory_bytes=4 * GIB, vcpus=4,
    disks=(), folder=Path("/vmfs"), topology=Topology(2, 2, 1), firmware=Firmware.bios,
    uuid="564d1e2f-0a1b-2c3d-4e5f-60718293a4b5", genid="1f2e3d4c-5b6a-7988-97a6-b5c4d3e2f100",
    removables=(CDROM, FLOPPY), sound="es1370",
    nics=(
        Nic("00:50:56:aa:bb:01", "vmxnet3", Network(NetworkKind.network, "VM Network")),
        Nic(None, "e1000", Network(NetworkKind.bridge, "br0")),
    ),
)  # fmt: skip
DEBIAN = Guest(
    OsType.linux, "debian", "12.5", "Debian GNU/Linux 12 (bookworm)", "x86_64", Firmware.bios,
    "/dev/sda1", {"/": "/dev/sda1"}, disks=("/dev/sda", "/dev/sdb"),
)  # fmt: skip
UBUNTU = replace(
    DEBIAN, distro="ubuntu", version="22.04", product="Ubuntu 22.04.5 LTS", firmware=Firmware.efi,
    mountpoints={"/": "/dev/sdb2", "/boot/efi": "/dev/sdb1"},
)  # fmt: skip


def windows(nt: tuple[int, int], build: int, product: str) -> Guest:
    """A Windows, on BIOS and x86_64."""
    found = Windows("/Windows", "", "", "ControlSet001", nt, build, "Client")
    version = ".".join(map(str, nt))
    return replace(
        DEBIAN, type=OsType.windows, distro="windows", version=version, product=product,
        windows=found,
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A converted guest whose domain is golden."""

    machine: Machine
    guest: Guest | None = DEBIAN
    capabilities: Capabilities = MODERN
    disks: int = 1
    format: DiskFormat = DiskFormat.qcow2
    allocation: Allocation = Allocation.sparse
    folder: Path = Path("/srv/kvm")
    name: str | None = None

    def define(self) -> Domain:
        name = self.name or self.machine.name
        disks = tuple(
            TargetDisk(self.folder / f"{name}-{number}", self.format, 10 * GIB, self.allocation)
            for number in range(self.disks)
        )
        return define_domain(self.machine, self.guest, self.capabilities, name, disks)


CASES = {
    "xen-web": Case(XEN, disks=2),
    "esx-app": Case(VMWARE),
    "uefi": Case(replace(XEN, name="uefi"), UBUNTU, disks=2),
    "secure-boot": Case(
        replace(VMWARE, name="sb", secure_boot=True, firmware=Firmware.efi, topology=None), UBUNTU
    ),
    "old-ide-on-pc": Case(
        replace(VMWARE, name="old", localtime=True, topology=Topology(1, 1, 1), sound="sb16"),
        replace(DEBIAN, distro="centos", version="4.9", product="CentOS 4.9", arch="i686"),
        Capabilities(Bus.ide, "e1000", "pc", rng=False, balloon=False, agent=False),
    ),
    "virtio-0.9-on-q35": Case(
        replace(VMWARE, name="rhel6"),
        replace(DEBIAN, distro="rhel", version="6.10", product="Red Hat Enterprise Linux 6.10"),
        Capabilities(virtio_transitional=True),
    ),
    "scsi": Case(replace(VMWARE, name="scsi"), capabilities=Capabilities(Bus.scsi), disks=3),
    "scsi-virtio-0.9": Case(
        replace(XEN, name="scsi09"), capabilities=Capabilities(Bus.scsi, virtio_transitional=True)
    ),
    "windows": Case(
        replace(VMWARE, name="win", sound=None),
        windows((10, 0), 19045, "Windows 10 Pro"),
        capabilities=Capabilities(panic=True, localtime=True),
    ),
    "windows-11": Case(
        replace(VMWARE, name="win11", sound=None, firmware=Firmware.efi),
        replace(windows((10, 0), 22631, "Windows 11 Pro"), firmware=Firmware.efi),
        capabilities=Capabilities(localtime=False),
    ),
    "windows-7": Case(
        replace(VMWARE, name="win7", sound=None, topology=None, vcpus=8),
        windows((6, 1), 7601, "Windows 7 Professional"),
        capabilities=Capabilities(Bus.sata, "e1000", localtime=True, rng=False, agent=False),
    ),
    "windows-xp": Case(
        replace(VMWARE, name="winxp", sound=None),
        replace(windows((5, 1), 2600, "Microsoft Windows XP"), arch="i686"),
        capabilities=Capabilities(
            Bus.ide, "rtl8139", "pc", rng=False, balloon=False, agent=False, localtime=True
        ),
    ),
    "uninspected": Case(replace(XEN, name="uninspected", nics=(), memory_bytes=GIB + 1), None),
    "raw-preallocated": Case(
        replace(XEN, name="raw"), format=DiskFormat.raw, allocation=Allocation.preallocated
    ),
    "vnc": Case(
        replace(XEN, name="vnc", display=Display("vnc", "0.0.0.0", 5907, "longer-than-8", "de"))
    ),
    "spice": Case(
        replace(
            XEN,
            name="spice",
            display=Display("spice", None, None, "longer-than-8", None),
            cpu_model="Westmere",
            cpu_vendor="Intel",
            features=("acpi", "apic", "pae"),
        )
    ),
    "markup-in-names": Case(
        replace(
            XEN,
            name='R&D <"web"> it\'s 100% \u00fc \u4e2d',
            display=Display("window", None, None, "", "en-us"),
            nics=(Nic(None, None, Network(NetworkKind.bridge, "R&D <VM> 'x'")),),
        ),
        folder=Path('/srv/R&D <kvm>, "x"/it\'s'),
    ),
}


@pytest.fixture(scope="module")
def connection() -> Iterator[libvirt.virConnect]:
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    opened = libvirt.open("test:///default")
    yield opened
    opened.close()


def first(xml: str, path: str) -> etree._Element:
    found = etree.fromstring(xml).find(path)
    assert found is not None, path
    return found


@pytest.mark.parametrize("name", CASES)
def test_domain_is_the_golden_one(name: str, golden: Golden) -> None:
    xml = CASES[name].define().xml.replace(f"v2v {VERSION}", "v2v VERSION", 1)
    golden(DOMAINS / f"{name}.xml", xml)


def test_every_golden_domain_has_a_case() -> None:
    assert {file.stem for file in DOMAINS.iterdir()} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_libvirt_takes_the_domain(name: str, connection: libvirt.virConnect) -> None:
    domain = connection.defineXMLFlags(CASES[name].define().xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    assert domain.name() == (CASES[name].name or CASES[name].machine.name)
    domain.undefine()


@pytest.mark.parametrize("name", CASES)
def test_the_schema_takes_the_domain(name: str, tmp_path: Path) -> None:
    file = tmp_path / "domain.xml"
    file.write_text(CASES[name].define().xml, encoding="utf-8")
    run("virt-xml-validate", file, "domain")  # raises CommandError where it does not


def test_memory_is_rounded_up_to_kib() -> None:
    assert first(CASES["uninspected"].define().xml, "memory").text == str(1024 * 1024 + 1)


def test_a_topology_that_contradicts_the_number_of_cpus_is_left_out() -> None:
    assert first(CASES["esx-app"].define().xml, "cpu/topology").get("cores") == "2"
    assert first(CASES["old-ide-on-pc"].define().xml, "cpu").find("topology") is None


def test_a_cpu_model_that_says_nothing_becomes_the_hosts() -> None:
    xml = Case(replace(XEN, cpu_model="qemu64", cpu_vendor="AMD")).define().xml
    assert first(xml, "cpu").get("mode") == "host-model"


def test_the_clock_follows_the_system_and_else_the_source() -> None:
    windows = CASES["windows"]
    utc = replace(windows, machine=replace(windows.machine, localtime=False))
    assert first(utc.define().xml, "clock").get("offset") == "localtime"
    local = replace(CASES["xen-web"], machine=replace(CASES["xen-web"].machine, localtime=True))
    assert first(local.define().xml, "clock").get("offset") == "localtime"
    assert first(CASES["xen-web"].define().xml, "clock").get("offset") == "utc"


def test_windows_11_has_a_tpm_with_uefi() -> None:
    eleven = CASES["windows-11"]
    assert first(eleven.define().xml, "devices/tpm/backend").get("version") == "2.0"
    bios = replace(eleven, machine=replace(eleven.machine, firmware=Firmware.bios))
    assert "<tpm" not in bios.define().xml
    assert "<tpm" not in CASES["windows"].define().xml


def test_a_guest_that_had_a_tpm_has_one_with_uefi() -> None:
    case = CASES["xen-web"]
    had = replace(case.machine, tpm=True, firmware=Firmware.efi)
    assert "<tpm" in replace(case, machine=had).define().xml
    bios = replace(had, firmware=Firmware.bios)
    assert "<tpm" not in replace(case, machine=bios).define().xml


def test_the_sources_first_disk_is_first_where_the_guest_does_not_tell() -> None:
    case = CASES["scsi"]
    machine = replace(case.machine, first_disk=1)
    xml = replace(case, machine=machine, guest=None).define().xml
    orders = [boot.get("order") for boot in etree.fromstring(xml.encode()).iter("boot")]
    assert orders[:2] == ["2", "1"]


def test_notes_and_unplugged_cables_stand_in_the_domain(
    connection: libvirt.virConnect, tmp_path: Path
) -> None:
    case = CASES["xen-web"]
    (nic,) = case.machine.nics
    machine = replace(
        case.machine, description="owner: <ops>\nSunday", nics=(replace(nic, connected=False),)
    )
    xml = replace(case, machine=machine).define().xml
    assert first(xml, "description").text == "owner: <ops>\nSunday"
    assert first(xml, "devices/interface/link").get("state") == "down"
    (tmp_path / "domain.xml").write_text(xml)
    run("virt-xml-validate", tmp_path / "domain.xml", "domain")


def test_windows_gets_all_its_cpus_in_one_socket() -> None:
    topology = first(CASES["windows-7"].define().xml, "cpu/topology")
    assert [topology.get(key) for key in ("sockets", "cores", "threads")] == ["1", "8", "1"]


def test_only_windows_since_vista_is_enlightened() -> None:
    assert first(CASES["windows-7"].define().xml, "features/hyperv/relaxed").get("state") == "on"
    assert "<hyperv" not in CASES["windows-xp"].define().xml
    assert "<hyperv" not in CASES["xen-web"].define().xml


def test_a_vnc_password_is_cut_to_the_eight_characters_that_vnc_uses() -> None:
    domain = CASES["vnc"].define()
    assert first(domain.xml, "devices/graphics").get("passwd") == "longer-t"
    assert domain.has_password


def test_an_empty_password_is_none() -> None:
    domain = CASES["markup-in-names"].define()
    assert first(domain.xml, "devices/graphics").get("passwd") is None
    assert not domain.has_password


def test_warnings_of_hardware_and_slots_come_with_the_domain() -> None:
    case = CASES["scsi"]
    machine = replace(case.machine, sound="gus")
    codes = [warning.code for warning in replace(case, machine=machine).define().warnings]
    assert codes == ["W-SOUND", "W-SLOT"]


def test_a_control_character_is_refused() -> None:
    nic = Nic(None, None, Network(NetworkKind.network, "a\x1bb"))
    with pytest.raises(TargetError, match="xen-web: a value of the source cannot stand in XML"):
        Case(replace(XEN, nics=(nic,))).define()


def test_a_domain_starts_from_a_kernel_beside_its_images() -> None:
    direct = Direct(b"kernel", b"initramfs", "root=UUID=1 ro console=ttyS0")
    disks = (TargetDisk(Path("/srv/web-sda.qcow2"), DiskFormat.qcow2, GIB),)
    domain = define_domain(XEN, DEBIAN, MODERN, "web", disks, direct)
    found = etree.fromstring(domain.xml.encode())
    told = [found.findtext(f"os/{key}") for key in ("kernel", "initrd", "cmdline")]
    assert told == ["/srv/web-vmlinuz", "/srv/web-initrd.img", "root=UUID=1 ro console=ttyS0"]
    assert domain.files == (
        File(Path("/srv/web-vmlinuz"), b"kernel", 0o600),
        File(Path("/srv/web-initrd.img"), b"initramfs", 0o600),
    )
