# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packet dumps: frames of a system are told from those of firmware and of a bare kernel."""

from __future__ import annotations

import struct

import pytest

from v2v.proof.pcap import Traffic, read

MAC = bytes.fromhex("525400123456")
ROUTER = bytes.fromhex("525400000202")
HEADER = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


def ethernet(kind: int, payload: bytes, source: bytes = MAC) -> bytes:
    return b"\xff" * 6 + source + kind.to_bytes(2, "big") + payload


def udp(ports: tuple[int, int], payload: bytes, source: bytes = MAC, address: int = 0) -> bytes:
    length = 8 + len(payload)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + length, 0, 0, 64, 17, 0, address, 0xFFFFFFFF)
    return ethernet(0x0800, ip + struct.pack(">HHHH", *ports, length, 0) + payload, source)


def dhcp(options: bytes, address: bytes = bytes(4)) -> bytes:
    return bytes(16) + address + bytes(216) + b"\x63\x82\x53\x63" + options + b"\xff"


DISCOVER = udp((68, 67), dhcp(b"\x00\x35\x01\x01\x0c\x03web"))
PXE = udp((68, 67), dhcp(b"\x35\x01\x01\x5d\x02\x00\x07"))
ACK = udp((67, 68), dhcp(b"\x35\x01\x05", bytes((10, 0, 2, 15))), ROUTER)
OFFER = udp((67, 68), dhcp(b"\x35\x01\x02", bytes((10, 0, 2, 15))), ROUTER)
ARP = ethernet(0x0806, bytes(28))
NEIGHBOUR = ethernet(0x86DD, bytes(72))
DNS = udp((40000, 53), b"query", address=0x0A00020F)
IGMP = ethernet(0x0800, struct.pack(">BBHHHBBHII", 0x46, 0, 40, 0, 0, 1, 2, 0, 0, 0xE0000016))


def dump(*frames: bytes) -> bytes:
    kept = (struct.pack("=IIII", 1, 2, len(frame), len(frame)) + frame for frame in frames)
    return HEADER + b"".join(kept)


@pytest.mark.parametrize(
    ("frame", "traffic"),
    [
        (DISCOVER, Traffic(1, system=1, first="DHCP request")),
        (ARP, Traffic(1, system=1, first="ARP")),
        (DNS, Traffic(1, system=1, first="IPv4 from 10.0.2.15")),
        (PXE, Traffic(1, firmware=1)),
        (NEIGHBOUR, Traffic(1, kernel=1)),
        (IGMP, Traffic(1, kernel=1)),
        (ethernet(0x88CC, b"LLDP"), Traffic(1, kernel=1)),
        (ethernet(0x0800, b"cut off"), Traffic(1, kernel=1)),
        (ACK, Traffic(lease="10.0.2.15")),
        (OFFER, Traffic()),
        (ethernet(0x0806, bytes(28), ROUTER), Traffic()),
    ],
)
def test_a_frame_counts_for_what_it_shows(frame: bytes, traffic: Traffic) -> None:
    assert read(dump(frame), MAC) == traffic


def test_the_first_frame_of_a_system_is_kept() -> None:
    frames = read(dump(NEIGHBOUR, DISCOVER, OFFER, ACK, ARP, DNS), MAC)
    assert frames == Traffic(4, kernel=1, system=3, first="DHCP request", lease="10.0.2.15")


def test_a_dump_that_still_grows_is_read_as_far_as_it_goes() -> None:
    whole = dump(DISCOVER, DISCOVER)
    for end in range(len(whole)):
        assert read(whole[:end], MAC).frames == int(end >= len(dump(DISCOVER)))
    assert read(whole, MAC).frames == 2


def test_what_is_no_packet_dump_has_no_frames() -> None:
    assert read(b"", MAC) == read(b"\0" * 100, MAC) == Traffic()


def test_a_frame_cut_anywhere_is_read_without_error() -> None:
    for frame in (DISCOVER, ACK):
        for cut in range(14, len(frame) - 1):  # all but the mark of the end
            assert read(dump(frame[:cut]), MAC).lease is None
