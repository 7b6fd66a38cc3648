# SPDX-License-Identifier: LGPL-2.1-or-later
"""Archives that were damaged, or made to lead a reader astray."""

from __future__ import annotations

import os
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.v2v.sources.test_ova import GOOD, OVF, code_of, deflated, tar
from v2v.disks.archive import zip_members
from v2v.disks.tar import tar_members
from v2v.errors import SourceError
from v2v.sources import read


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    assert code_of(tar(tmp_path / "web.ova", [*GOOD, ("./web.vmdk", b"")])) == "E-OVA-DAMAGED"


def test_a_member_with_holes_is_refused(tmp_path: Path) -> None:
    path = tar(tmp_path / "web.ova", GOOD)
    info = tarfile.TarInfo("sparse.vmdk")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:398] = b"00000000000\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    end = sum(512 + (len(data) + 511) // 512 * 512 for _, data in GOOD)
    path.write_bytes(path.read_bytes()[:end] + bytes(header) + bytes(1024))
    assert code_of(path) == "E-OVA-MEMBER"


@pytest.mark.parametrize("cut", [512, 700, 1024, 4096])
def test_an_archive_that_was_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = tar(tmp_path / "web.ova", GOOD)
    end = sum(512 + (len(data) + 511) // 512 * 512 for _, data in GOOD)
    path.write_bytes(path.read_bytes()[: end - cut])
    assert code_of(path) == "E-OVA-DAMAGED"


def hostile_headers() -> dict[str, bytes]:
    """Tar headers that lead libraries astray."""
    negative = tarfile.TarInfo("web.vmdk").tobuf(tarfile.GNU_FORMAT)
    negative = negative[:124] + b"\xff" * 12 + negative[136:]
    negative = negative[:148] + b" " * 8 + negative[156:]
    negative = negative[:148] + f"{sum(negative):06o}\0 ".encode() + negative[156:]
    huge = tarfile.TarInfo("././@PaxHeader")
    huge.type, huge.size = tarfile.XHDTYPE, 1 << 34
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 1 << 34
    chain = tarfile.TarInfo("x")
    chain.type, chain.size = tarfile.GNUTYPE_LONGNAME, 1
    sparse = tarfile.TarInfo("web.vmdk")
    sparse.size = 1 << 33
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    return {
        "sparse": sparse.tobuf(tarfile.PAX_FORMAT) + b"4000000000\n" + b"1\n" * (20 << 20),
        "negative": negative,
        "pax": huge.tobuf(tarfile.GNU_FORMAT),
        "name": long_name.tobuf(tarfile.GNU_FORMAT),
        "chain": (chain.tobuf(tarfile.GNU_FORMAT) + b"a".ljust(512, b"\0")) * 5000,
        "many": tarfile.TarInfo("d/").tobuf(tarfile.GNU_FORMAT) * 10_002,
    }


@pytest.mark.parametrize("name", hostile_headers())
def test_a_hostile_tar_is_refused_soon(tmp_path: Path, name: str) -> None:
    path = tar(tmp_path / "web.ova", [("web.ovf", OVF)])
    end = (len(OVF) + 1023) // 512 * 512
    path.write_bytes(path.read_bytes()[:end] + hostile_headers()[name])
    os.truncate(path, 40 << 30)  # holes
    begun = time.monotonic()
    assert code_of(path) in ("E-OVA-DAMAGED", "E-OVA-MEMBER")
    assert time.monotonic() - begun < 5


@settings(max_examples=150, deadline=2000)
@example([(2988, b"\x01")])  # a zip whose directory would begin in front of the file
@example([(2760, b"\0\0@")])  # a zip of a version that there is not
@given(st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=12)), max_size=6))
def test_a_damaged_archive_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, bytes]]
) -> None:
    base = tmp_path_factory.getbasetemp() / "damaged"
    base.mkdir(exist_ok=True)
    for pack, members in ((tar, tar_members), (deflated, zip_members)):
        path = pack(base / pack.__name__, GOOD)
        data = bytearray(path.read_bytes())
        for at, piece in edits:
            start = at * len(data) // 3001
            data[start : start + len(piece)] = piece
        path.write_bytes(data)
        with suppress(SourceError):
            members(path)
        with suppress(SourceError):
            read([path], "ova")
