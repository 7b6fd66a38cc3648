# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the installed virt-v2v is called: for the comparisons of tests.bench and tests.matrix."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from lxml.builder import E

import v2v
from v2v.accel import kvm_works
from v2v.model import BootMethod, Machine


def environment() -> dict[str, str]:
    """Return the settings without which it does not start where KVM does not work."""
    tcg = {} if kvm_works() else {"LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}
    return {**os.environ, "LC_ALL": "C.UTF-8", "LIBGUESTFS_BACKEND": "direct", **tcg}


def version() -> str:
    """Return its name and version in one word, such as virt-v2v-2.2.0."""
    said = subprocess.run(("virt-v2v", "--version"), capture_output=True, text=True, check=True)
    return said.stdout.strip().replace(" ", "-")


def source(configuration: Path, scratch: Path) -> tuple[str, ...]:
    """Return its words for a guest; what it cannot read (xl.cfg) is put to it as libvirt's XML."""
    if configuration.suffix in (".vmx", ".ova"):
        return ("-i", configuration.suffix[1:], str(configuration))
    if configuration.suffix == ".cfg":
        machine = v2v.open(configuration)
        configuration = scratch / f"{machine.name}-xen.xml"
        configuration.write_text(_xml(machine))
    return ("-i", "libvirtxml", str(configuration))


def _xml(machine: Machine) -> str:
    pv = machine.boot is not None and machine.boot.method is not BootMethod.hvm
    kind = "linux" if pv else "hvm"
    root = E.domain(
        E.name(machine.name),
        E.memory(str(machine.memory_bytes >> 10), unit="KiB"),
        E.vcpu(str(machine.vcpus)),
        *([E.bootloader("/usr/bin/pygrub")] if pv else []),
        E.os(E.type(kind)),
        E.devices(*_disks(machine), *_nics(machine)),
        type="xen",
    )
    return etree.tostring(root, pretty_print=True, encoding="unicode")


def _disks(machine: Machine) -> Iterator[etree._Element]:
    for disk in machine.disks:
        yield E.disk(
            E.driver(name="file", type=disk.format or "raw"),
            E.source(file=str(machine.folder / disk.path)),
            E.target(dev=disk.device or "xvda", bus="xen"),
            type="file",
            device="disk",
        )


def _nics(machine: Machine) -> Iterator[etree._Element]:
    for nic in machine.nics:
        address = [] if nic.mac is None else [E.mac(address=nic.mac)]
        yield E.interface(*address, E.source(bridge=nic.network.name), type="bridge")
