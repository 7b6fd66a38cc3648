# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine as the report's ``source`` object."""

from __future__ import annotations

from v2v.model import Boot, Disk, Display, Machine, Nic, Removable, Topology


def machine_json(machine: Machine) -> dict[str, object]:
    """Return what the report says of a source. Passwords are left out: reports are passed round."""
    return {
        "kind": machine.kind,
        "hypervisor": str(machine.hypervisor),
        "name": machine.name,
        "memory_bytes": machine.memory_bytes,
        "vcpus": machine.vcpus,
        "topology": None if machine.topology is None else _topology(machine.topology),
        "firmware": str(machine.firmware),
        "secure_boot": machine.secure_boot,
        "uuid": machine.uuid,
        "genid": machine.genid,
        "boot": None if machine.boot is None else _boot(machine.boot),
        "disks": [_disk(disk) for disk in machine.disks],
        "removables": [_removable(drive) for drive in machine.removables],
        "nics": [_nic(nic) for nic in machine.nics],
        "display": None if machine.display is None else _display(machine.display),
        "sound": machine.sound,
        "running": machine.running,
        **_said(machine),
    }


def _said(machine: Machine) -> dict[str, object]:
    """Return what only some sources know of a guest; it is not there where they do not."""
    said: dict[str, object] = {
        "description": machine.description,
        "os": machine.os,
        "tpm": machine.tpm or None,
        "first_disk": machine.first_disk,
    }
    return {key: value for key, value in said.items() if value is not None}


def _topology(topology: Topology) -> dict[str, object]:
    return {
        "sockets": topology.sockets,
        "cores": topology.cores,
        "threads": topology.threads,
    }


def _boot(boot: Boot) -> dict[str, object]:
    return {
        "method": str(boot.method),
        "kernel": boot.kernel,
        "ramdisk": boot.ramdisk,
        "cmdline": boot.cmdline,
    }


def _disk(disk: Disk) -> dict[str, object]:
    return {
        "path": disk.path,
        "host": None if disk.host is None else str(disk.host),
        "format": _text(disk.format),
        "controller": _text(disk.controller),
        "device": disk.device,
        "virtual_bytes": disk.virtual_bytes,
    }


def _removable(drive: Removable) -> dict[str, object]:
    return {"kind": str(drive.kind), "controller": _text(drive.controller), "slot": drive.slot}


def _nic(nic: Nic) -> dict[str, object]:
    network = {"kind": str(nic.network.kind), "name": nic.network.name}
    unplugged = {} if nic.connected else {"connected": False}
    return {"mac": nic.mac, "model": nic.model, "network": network, **unplugged}


def _display(display: Display) -> dict[str, object]:
    return {
        "kind": display.kind,
        "listen": display.listen,
        "port": display.port,
        "keymap": display.keymap,
    }


def _text(value: str | None) -> str | None:
    """Return an enumeration's value as plain text."""
    return None if value is None else str(value)
