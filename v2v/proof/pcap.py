# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a NIC's packet dump says about the guest behind it.

QEMU's filter-dump writes the classic pcap format (a header of 24 bytes, then 16 bytes before each
frame, in the host's byte order). A frame is the guest's if it has the NIC's MAC as its source.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_FILE_HEADER = 24
_FRAME_HEADER = struct.Struct("=IIII")  # seconds, microseconds, bytes kept, bytes sent
_MAGIC = struct.pack("=I", 0xA1B2C3D4)
_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_SHORTEST_IPV4 = 34  # with the Ethernet header
_UDP = 17
_DHCP_PORTS = (68, 67)
_DHCP_COOKIE = b"\x63\x82\x53\x63"
_FIRMWARE_OPTIONS = frozenset({93, 94, 97})  # RFC 4578: sent by PXE and HTTP boot, by no system
_ACK = b"\x05"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Frames counted by what they show.

    ``kernel`` frames (IPv6 neighbour discovery, multicast reports) leave as soon as anything, an
    initramfs too, brings the interface up; ``system`` frames need an address or a DHCP client.
    """

    frames: int = 0  # all that the guest sent
    firmware: int = 0  # network boot
    kernel: int = 0
    system: int = 0
    first: str = ""  # what the first system frame was
    lease: str | None = None  # the address that a DHCP server acknowledged


def read(dump: bytes, mac: bytes) -> Traffic:
    """Count the guest's frames in a dump that may still be growing."""
    count = {"firmware": 0, "kernel": 0, "system": 0}
    first, lease = "", None
    for frame in _frames(dump):
        if frame[6:12] != mac:
            lease = lease or _acknowledged(frame)
            continue
        kind, text = _classify(frame)
        count[kind] += 1
        if kind == "system" and not first:
            first = text
    return Traffic(sum(count.values()), **count, first=first, lease=lease)


def _frames(dump: bytes) -> Iterator[bytes]:
    if not dump.startswith(_MAGIC):
        return
    at = _FILE_HEADER
    while at + _FRAME_HEADER.size <= len(dump):
        kept = _FRAME_HEADER.unpack_from(dump, at)[2]
        at += _FRAME_HEADER.size
        if at + kept > len(dump):
            return
        yield dump[at : at + kept]
        at += kept


def _classify(frame: bytes) -> tuple[str, str]:
    kind = int.from_bytes(frame[12:14], "big")
    if kind == _IPV6:
        return "kernel", "IPv6"
    if kind == _ARP:
        return "system", "ARP"
    if kind != _IPV4 or len(frame) < _SHORTEST_IPV4:
        return "kernel", "other"
    options = _dhcp_options(frame, _DHCP_PORTS)
    if options is not None:
        firmware = options.keys() & _FIRMWARE_OPTIONS
        return ("firmware", "network boot") if firmware else ("system", "DHCP request")
    unconfigured = frame[26:30] == bytes(4)  # source 0.0.0.0: IGMP before there is an address
    return ("kernel", "IPv4") if unconfigured else ("system", f"IPv4 from {_dotted(frame[26:30])}")


def _dhcp_options(frame: bytes, ports: tuple[int, int]) -> dict[int, bytes] | None:
    """Return the options of a DHCP message between two UDP ports; None if it is no such message."""
    if len(frame) < _SHORTEST_IPV4:
        return None
    udp = 14 + (frame[14] & 0x0F) * 4
    if len(frame) < udp + 8 + 240 or frame[23] != _UDP:
        return None
    if struct.unpack_from(">HH", frame, udp) != ports or frame[udp + 244 : udp + 248] != (
        _DHCP_COOKIE
    ):
        return None
    options: dict[int, bytes] = {}
    at = udp + 248
    while at + 1 < len(frame) and frame[at] != 255:
        if frame[at] == 0:  # padding
            at += 1
            continue
        length = frame[at + 1]
        options[frame[at]] = frame[at + 2 : at + 2 + length]
        at += 2 + length
    return options


def _acknowledged(frame: bytes) -> str | None:
    if frame[12:14] != _IPV4.to_bytes(2, "big"):
        return None
    options = _dhcp_options(frame, (67, 68))
    if options is None or options.get(53) != _ACK:
        return None
    message = 14 + (frame[14] & 0x0F) * 4 + 8
    return _dotted(frame[message + 16 : message + 20])


def _dotted(address: bytes) -> str:
    return ".".join(str(byte) for byte in address)
