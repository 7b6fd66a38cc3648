# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a target's hypervisor has, from libvirt's domain capabilities to the domain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import libvirt
import pytest
from lxml import etree

from tests.v2v.test_domain import DEBIAN, GIB, MODERN, UBUNTU, VMWARE, XEN, windows
from v2v.domain import Domain, define_domain
from v2v.errors import TargetError
from v2v.host_support import USUAL, HostSupport
from v2v.hosts.libvirt_host import LibvirtHost
from v2v.model import (
    Bus,
    Capabilities,
    DiskFormat,
    Display,
    Firmware,
    Guest,
    Machine,
    Network,
    NetworkKind,
    Nic,
    TargetDisk,
)
from v2v.targets import libvirt_support
from v2v.targets.libvirt_support import support

UUID = "11111111-2222-3333-4444-555555555555"
DISK = TargetDisk(Path("/srv/web-sda.qcow2"), DiskFormat.qcow2, GIB)


def enum(name: str, *values: str) -> str:
    return f"<enum name='{name}'>{''.join(f'<value>{value}</value>' for value in values)}</enum>"


def capabilities(
    firmware: str = enum("firmware", "efi"),
    secure: tuple[str, ...] = ("yes", "no"),
    tpm: str = enum("backendModel", "passthrough", "emulator"),
    video: tuple[str, ...] = ("vga", "virtio"),
) -> str:
    """Return capabilities in the shape that libvirt 9 and 10 give them."""
    return (
        f"<domainCapabilities><os supported='yes'>{firmware}"
        f"<loader supported='yes'>{enum('secure', *secure)}</loader></os><devices>"
        f"<disk supported='yes'>{enum('bus', 'fdc', 'scsi', 'virtio', 'sata')}</disk>"
        f"<graphics supported='yes'>{enum('type', 'vnc')}</graphics>"
        f"<video supported='yes'>{enum('modelType', *video)}</video>"
        f"<tpm supported='yes'>{tpm}</tpm></devices></domainCapabilities>"
    )


class Told(LibvirtHost):
    """A host that tells what it is told to."""

    def __init__(self, answers: dict[tuple[str, str], str], *, local: bool = False) -> None:
        self._answers = answers
        self._local = local

    @property
    def is_local(self) -> bool:
        return self._local

    def capabilities(self, virtualization: str, machine: str) -> str | None:
        return self._answers.get((virtualization, machine))


def test_capabilities_are_understood() -> None:
    host = Told({("kvm", "q35"): capabilities(), ("kvm", "pc"): capabilities()})
    found = support(host, frozenset({UUID}))
    assert found == HostSupport(
        buses=frozenset({"fdc", "scsi", "virtio", "sata"}),
        screens=frozenset({"vnc"}),
        uuids=frozenset({UUID}),
    )


def test_what_is_lacking_is_seen() -> None:
    told = capabilities("", ("no",), enum("backendModel", "passthrough"), ("virtio",))
    found = support(Told({("kvm", "q35"): told}), frozenset())
    assert (found.efi, found.secure_boot, found.tpm) == (False, False, False)
    assert (found.video, found.machines) == (frozenset({"virtio"}), frozenset({"q35"}))


def test_a_host_without_kvm_emulates() -> None:
    assert support(Told({("qemu", "q35"): capabilities()}), frozenset()).virtualization == "qemu"


def test_a_kvm_of_this_host_that_does_not_work_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {(kind, "q35"): capabilities() for kind in ("kvm", "qemu")}
    monkeypatch.setattr(libvirt_support, "kvm_works", lambda: False)
    assert support(Told(answers, local=True), frozenset()).virtualization == "qemu"
    assert support(Told(answers), frozenset()).virtualization == "kvm"


def test_a_driver_that_tells_nothing_has_the_usual() -> None:
    assert support(Told({}), frozenset({UUID})) == replace(USUAL, uuids=frozenset({UUID}))


# What becomes of it.


def define(
    support: HostSupport,
    machine: Machine = XEN,
    guest: Guest = DEBIAN,
    capabilities: Capabilities = MODERN,
    disk: TargetDisk = DISK,
) -> Domain:
    return define_domain(machine, guest, capabilities, "web", [disk], support=support)


def xml(domain: Domain) -> etree._Element:
    return etree.fromstring(domain.xml.encode())


def codes(domain: Domain) -> list[str]:
    return [warning.code for warning in domain.warnings]


def test_an_emulating_host_gets_a_domain_that_it_can_start() -> None:
    root = xml(define(HostSupport(virtualization="qemu"), replace(XEN, cpu_model="Haswell")))
    assert root.get("type") == "qemu"
    assert [cpu.items() for cpu in root.iterfind("cpu")] == [[("mode", "maximum")]]


@pytest.mark.parametrize(
    ("support", "guest", "lacking"),
    [
        (HostSupport(efi=False), UBUNTU, "UEFI firmware"),
        (HostSupport(machines=frozenset({"pc"})), DEBIAN, "machine type q35"),
        (HostSupport(buses=frozenset({"sata"})), DEBIAN, "disk bus virtio"),
        (
            HostSupport(efi=False, machines=frozenset()),
            UBUNTU,
            "UEFI firmware, no machine type q35",
        ),
    ],
)
def test_what_the_guest_cannot_do_without_is_an_error(
    support: HostSupport, guest: Guest, lacking: str
) -> None:
    with pytest.raises(TargetError, match=f"xen-web: the target's hypervisor has no {lacking}"):
        define(support, guest=guest)


def test_secure_boot_that_the_host_lacks_is_an_error() -> None:
    machine = replace(VMWARE, secure_boot=True, firmware=Firmware.efi)
    with pytest.raises(TargetError, match="has no Secure Boot"):
        define(HostSupport(secure_boot=False), machine, UBUNTU)


def test_what_the_guest_can_do_without_is_a_warning() -> None:
    machine = replace(XEN, display=Display("spice"), firmware=Firmware.efi)
    found = define(
        HostSupport(tpm=False, screens=frozenset({"vnc"}), video=frozenset({"virtio"})),
        machine,
        windows((10, 0), 22621, "Windows 11 Pro"),
    )
    assert codes(found).count("W-TARGET-HARDWARE") == 2
    root = xml(found)
    assert root.find("devices/tpm") is None
    assert [each.get("type") for each in root.iterfind("devices/graphics")] == ["vnc"]
    assert [each.get("type") for each in root.iterfind("devices/video/model")] == ["virtio"]


def test_a_uuid_that_another_domain_has_is_not_taken() -> None:
    machine = replace(XEN, uuid=UUID.upper())
    taken = define(HostSupport(uuids=frozenset({UUID})), machine)
    assert (xml(taken).findtext("uuid"), codes(taken)) == (None, ["W-UUID"])
    assert xml(define(USUAL, machine)).findtext("uuid") == UUID.upper()


def test_disks_on_devices_are_block_disks() -> None:
    disk = TargetDisk(Path("/dev/vg/web-sda"), DiskFormat.raw, GIB, block=True)
    (found,) = xml(define(USUAL, disk=disk)).iterfind("devices/disk[@device='disk']")
    assert found.get("type") == "block"
    assert [each.items() for each in found.iterfind("source")] == [[("dev", "/dev/vg/web-sda")]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (NetworkKind.network, ("network", [("network", "x")], None)),
        (NetworkKind.bridge, ("bridge", [("bridge", "x")], None)),
        (NetworkKind.ovs, ("bridge", [("bridge", "x")], "openvswitch")),
        (NetworkKind.macvtap, ("direct", [("dev", "x"), ("mode", "bridge")], None)),
    ],
)
def test_nics_are_plugged_in_as_libvirt_wants_it(
    kind: NetworkKind, expected: tuple[str, list[tuple[str, str]], str | None]
) -> None:
    machine = replace(XEN, nics=(Nic(None, None, Network(kind, "x")),))
    domain = define(USUAL, machine)
    (found,) = xml(domain).iterfind("devices/interface")
    (source,) = found.iterfind("source")
    port = next((each.get("type") for each in found.iterfind("virtualport")), None)
    assert expected == (found.get("type"), source.items(), port)
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = libvirt.open("test:///default")
    connection.defineXMLFlags(domain.xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE).undefine()
    connection.close()


def test_the_bus_of_the_guest_counts() -> None:
    old = Capabilities(Bus.ide, "e1000", "pc", rng=False, balloon=False, agent=False)
    with pytest.raises(TargetError, match="has no disk bus ide"):
        define(HostSupport(buses=frozenset({"virtio", "sata"})), capabilities=old)
