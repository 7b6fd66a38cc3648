# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where devices sit on the PCI bus: as libvirt puts them, because names of NICs depend on it.

libvirt gives a PCI machine ("pc") consecutive slots of one bus, from 3 on. On q35 each device gets
a PCI Express root port of its own, and so a bus number of its own; what is no Express device goes
behind one PCIe-to-PCI bridge (libvirt, docs/pci-addresses.rst).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from v2v.proof.hardware import Device

Options = dict[str, str]

_FIRST_SLOT = 3  # on pc: 0 is the host bridge, 1 the south bridge, 2 for graphics
_FIRST_PORT_SLOT = 2  # on q35: 0 is the host bridge, 1 for graphics
_PORTS_IN_SLOT = 8


class Slots:
    """Hands out places on the PCI bus."""

    def __init__(self, devices: Iterable[Device], *, q35: bool) -> None:
        self._q35 = q35
        self._root = "pcie.0" if q35 else "pci.0"
        self._wanted = {one.address for one in devices if one.address is not None}
        buses = {address.bus for address in self._wanted}
        self._slots = (slot for slot in count(_FIRST_SLOT) if not self._on_root(slot))
        self._ports = (port for port in count(1) if port not in buses)
        self._last_port = max(buses, default=0) if q35 else 0
        self._bridge: int | None = None  # the root port that the PCIe-to-PCI bridge hangs on
        self._bridge_slots = count(1)

    def _on_root(self, slot: int) -> bool:
        return any(address.bus == 0 and address.slot == slot for address in self._wanted)

    def graphics(self, device: Device) -> Options:
        """Place the graphics card."""
        wanted = device.address
        slot = wanted.slot if wanted and wanted.bus == 0 else (1 if self._q35 else 2)
        return {"bus": self._root, "addr": hex(slot)}

    def place(self, device: Device, *, express: bool) -> Options:
        """Return the bus and the slot of a device."""
        wanted = device.address
        if wanted is not None and wanted.bus == 0:
            return {"bus": self._root, "addr": f"{wanted.slot:#x}.{wanted.function:#x}"}
        if not self._q35:
            return {"bus": self._root, "addr": hex(next(self._slots))}
        if express:
            return {"bus": f"pci.{wanted.bus if wanted else self._port()}", "addr": "0x0"}
        if self._bridge is None:
            self._bridge = self._port()
        return {"bus": "bridge", "addr": hex(next(self._bridge_slots))}

    def _port(self) -> int:
        port = next(self._ports)
        self._last_port = max(self._last_port, port)
        return port

    def ports(self) -> Iterator[tuple[str, Options]]:
        """Return the root ports and the bridge that the places handed out need, in order."""
        free = (slot for slot in count(_FIRST_PORT_SLOT) if not self._on_root(slot))
        places = ((slot, function) for slot in free for function in range(_PORTS_IN_SLOT))
        for port, (slot, function) in zip(range(1, self._last_port + 1), places, strict=False):
            options = {"id": f"pci.{port}", "bus": self._root, "chassis": str(port)}
            options["addr"] = f"{slot:#x}.{function:#x}"
            yield "pcie-root-port", options | ({"multifunction": "on"} if function == 0 else {})
        if self._bridge is not None:
            yield "pcie-pci-bridge", {"id": "bridge", "bus": f"pci.{self._bridge}", "addr": "0x0"}
