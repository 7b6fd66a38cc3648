# SPDX-License-Identifier: LGPL-2.1-or-later
"""The second half of a conversion into libvirt: python -m tests.libvirt_writer DOMAIN.xml OPTION...

The images that the domain names become those of a domain of the target; nothing is changed in
them, so no appliance is needed. OPTIONs are those of v2v convert.
"""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import replace
from pathlib import Path

from lxml import etree

from v2v.arguments import parser
from v2v.disks.copy import copy
from v2v.domain import define_domain
from v2v.errors import V2VError
from v2v.model import (
    Allocation,
    Capabilities,
    Firmware,
    Hypervisor,
    Machine,
    Network,
    NetworkKind,
    Nic,
)
from v2v.networks import map_nics
from v2v.options import Options, chosen
from v2v.targets import open_target


def main(domain: Path, *words: str) -> int:
    """Write a guest; return 0, or 1 with the error's code on standard output."""
    options = chosen(parser().parse_args(["convert", "-o", "libvirt", *words, str(domain)]))
    root = etree.fromstring(domain.read_bytes())
    images = [Path(source.get("file", "")) for source in root.iterfind("devices/disk/source")]
    try:
        _write(root, images, options)
    except V2VError as error:
        sys.stdout.write(f"{error.finding.code}: {error.finding.message}\n")
        return 1
    return 0


def _write(root: etree._Element, images: list[Path], options: Options) -> None:
    target = open_target(options)
    machine = _machine(root)
    machine = replace(machine, nics=map_nics(machine.nics, options.networks))
    name = target.named(options.name or machine.name)
    sizes = [struct.unpack(">24xQ", path.read_bytes()[:32])[0] for path in images]
    disks = target.disks(name, sizes)
    target.check(name, disks, [path.stat().st_size for path in images])
    for finding in target.findings(name, machine.nics):
        sys.stdout.write(f"{finding.code}: {finding.message}\n")
    with target.writing(name, disks) as writing:
        domain = define_domain(
            machine, None, Capabilities(), name, disks, support=target.support(name)
        )
        for image, (disk, place) in zip(images, writing.images, strict=True):
            full = disk.allocation is Allocation.preallocated
            copy(image, place, format=disk.format, preallocated=full, existing=place == disk.path)
            writing.filled(disk, place, lambda _done, _total: None)
        written = writing.commit(domain, "{}")
    sys.stdout.write(json.dumps([str(path) for path in written]) + "\n")


def _machine(root: etree._Element) -> Machine:
    interface = root.find("devices/interface/mac")
    mac = None if interface is None else interface.get("address")
    return Machine(
        kind="libvirt",
        hypervisor=Hypervisor.kvm,
        name=root.findtext("name") or "web",
        memory_bytes=int(root.findtext("memory") or 0) * 1024,
        vcpus=1,
        disks=(),
        folder=Path("/"),
        firmware=Firmware.efi if root.find("os[@firmware='efi']") is not None else Firmware.bios,
        uuid=root.findtext("uuid"),
        nics=(Nic(mac, None, Network(NetworkKind.bridge, "xenbr0")),),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
