# SPDX-License-Identifier: LGPL-2.1-or-later
"""A script of -o qemu starts its guest at once, over its source, and takes the data along."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import v2v
from fixtures.build import guest
from v2v.disks.lazy import is_lazy
from v2v.output_options import CopyMode

pytestmark = [pytest.mark.guest, pytest.mark.every]

_LOGIN = 400  # seconds that an emulated guest has to come up
_END = 60


def hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


@contextmanager
def started(script: Path, said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script from another folder, for as long as the block lasts."""
    with said.open("wb") as stream:
        child = subprocess.Popen(
            [script, "-display", "none"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            yield child
        finally:
            child.terminate()
            child.wait(_END)


def wait_for(text: bytes, said: Path, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _LOGIN
    while text not in said.read_bytes():
        assert child.poll() is None, said.read_bytes()[-2000:]
        assert time.monotonic() < deadline, said.read_bytes()[-2000:]
        time.sleep(0.5)


def test_the_guest_is_there_at_once_and_later_stands_alone(tmp_path: Path) -> None:
    source, folder = guest("xen-web"), tmp_path / "it's here"
    folder.mkdir()
    before = hashes(source)
    options = v2v.Options(output="qemu", storage=folder, copy=CopyMode.lazy)
    report = v2v.convert(source / "xen-web.cfg", options)
    script, image = folder / "xen-web.sh", folder / "xen-web-sda.qcow2"
    assert report.written[0] == script
    assert os.access(script, os.X_OK)
    assert "W-LAZY" in [finding.code for finding in report.warnings]
    assert is_lazy(image)
    with started(script, tmp_path / "first") as child:
        wait_for(b"login:", tmp_path / "first", child)
        assert v2v.finish(str(script)) == (image, folder / "xen-web-sdb.qcow2")
        assert child.poll() is None
    assert hashes(source) == before
    assert not is_lazy(image)
    assert v2v.verify(folder / "xen-web.xml", timeout=_LOGIN).booted
