# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a target's libvirt says of its host: hardware that domains can have, and networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lxml import etree

from v2v.accel import kvm_works
from v2v.errors import Finding
from v2v.hardware import plugged_into
from v2v.host_support import USUAL, HostSupport
from v2v.hosts.libvirt_host import LibvirtHost, asking
from v2v.model import Network, NetworkKind, Nic

Element = etree._Element
_DEVICES = Path("/sys/class/net")


def support(host: LibvirtHost, uuids: frozenset[str]) -> HostSupport:
    """Return what domains of the host can have; of a driver that does not tell, the usual.

    A local KVM is tried too: libvirt believes in one that cannot run a guest.
    """
    kinds = ("kvm", "qemu") if not host.is_local or kvm_works() else ("qemu",)
    for kind in kinds:
        machines = {name: host.capabilities(kind, name) for name in ("q35", "pc")}
        told = {name: etree.fromstring(xml.encode()) for name, xml in machines.items() if xml}
        if told:
            return _support(kind, told, uuids)
    return HostSupport(uuids=uuids)


def _support(kind: str, told: dict[str, Element], uuids: frozenset[str]) -> HostSupport:
    first = next(iter(told.values()))
    return HostSupport(
        virtualization=kind,
        machines=frozenset(told),
        efi="efi" in _values(first, "os", "firmware"),
        secure_boot="yes" in _values(first, "os/loader", "secure"),
        tpm="emulator" in (_values(first, "devices/tpm", "backendModel") or {"emulator"}),
        buses=frozenset().union(*(_values(one, "devices/disk", "bus") for one in told.values()))
        or USUAL.buses,
        screens=_values(first, "devices/graphics", "type") or USUAL.screens,
        video=_values(first, "devices/video", "modelType") or USUAL.video,
        uuids=uuids,
    )


def _values(capabilities: Element, place: str, name: str) -> frozenset[str]:
    found = capabilities.findall(f"{place}/enum[@name='{name}']/value")
    return frozenset(value.text or "" for value in found)


def network_findings(host: LibvirtHost, nics: Iterable[Nic], *, start: bool) -> Iterator[Finding]:
    """Say of each network that NICs are plugged into what is wrong with it."""
    devices = host.net_devices()
    if host.is_local:
        local = frozenset(path.name for path in _DEVICES.iterdir())
        devices = local if devices is None else devices | local
    for network in dict.fromkeys(plugged_into(nic) for nic in nics):
        if network.kind is NetworkKind.network:
            yield from _of_libvirt(host, network.name, start=start)
        elif devices is None:
            yield Finding(
                "W-NETWORK-UNKNOWN",
                f"{network.kind} {network.name}: {host.uri} cannot tell whether there is one",
                "look for it there: ip link show",
            )
        elif network.name not in devices:
            yield _absent(network, devices)


def _of_libvirt(host: LibvirtHost, name: str, *, start: bool) -> Iterator[Finding]:
    found = host.network(name)
    if found is None:
        yield _absent(Network(NetworkKind.network, name), host.networks())
        return
    with asking(f"network {name}"):
        active = found.isActive()
    if not active:
        yield Finding(
            "E-NETWORK-INACTIVE" if start else "W-NETWORK-INACTIVE",
            f"network {name}: it is not started, and the guest cannot be without it",
            f"virsh net-start {name}; virsh net-autostart {name}",
        )


def _absent(network: Network, there: Iterable[str]) -> Finding:
    what = "network" if network.kind is NetworkKind.network else "network device"
    others = ", ".join(sorted(there)) or "none"
    return Finding(
        "E-NETWORK",
        f"{network.kind} {network.name}: the target has no {what} of this name",
        f"map it with -n, -b or --mac to one that it has: {others}",
    )
