# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wrong guests, found by looking into the disks: nothing is left, nothing is changed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import v2v
from fixtures.build import guest
from fixtures.xva import blocks, ova_xml, pack
from fixtures.xva import guest as xva_guest
from v2v.keys import Key
from v2v.run import run

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("esx")]
MIB = 1 << 20


def filesystem(path: Path, tree: Path, size: int = 16) -> Path:
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, path, f"{size}m")
    return path


def tree(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def blank(folder: Path) -> list[Path]:
    path = folder / "blank.img"
    path.write_bytes(b"")
    os.truncate(path, 16 * MIB)
    return [path]


def data_only(folder: Path) -> list[Path]:
    return [filesystem(folder / "data.img", tree(folder / "t", "some/file"))]


def two_roots(folder: Path) -> list[Path]:
    root = tree(folder / "t", "etc/fstab", "bin/sh", "boot/vmlinuz-1")
    return [filesystem(folder / f"{name}.img", root, 160) for name in ("one", "two")]


def windows(folder: Path) -> list[Path]:
    root = tree(folder / "t", "Windows/System32/config/SYSTEM", "Users/a")
    return [filesystem(folder / "windows.img", root, 160)]


def no_kernel(folder: Path) -> list[Path]:
    return [filesystem(folder / "root.img", tree(folder / "t", "etc/fstab", "bin/sh"), 160)]


def full(folder: Path) -> list[Path]:
    root = tree(folder / "t", "etc/fstab", "bin/sh")
    (root / "ballast").write_bytes(os.urandom(8 * MIB))
    return [filesystem(folder / "full.img", root, 16)]


def damaged(folder: Path) -> list[Path]:
    (path,) = no_kernel(folder)
    with path.open("r+b") as image:  # the group descriptors, behind a sound superblock
        image.seek(2048)
        image.write(b"\xff" * 64 * 1024)
    return [path]


def locked(folder: Path) -> list[Path]:
    (path,) = blank(folder)
    weak = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    run("cryptsetup", "luksFormat", "-q", "--type", "luks2", *weak, path, "-", text="passphrase")
    return [path]


@dataclass(frozen=True, slots=True)
class Case:
    """Images that make no guest, what is said of them, and under which options."""

    name: str
    make: Callable[[Path], list[Path]]
    codes: frozenset[str]
    root: str | None = None
    said: str = ""
    keys: tuple[Key, ...] = ()


CASES = (
    Case("blank_disk", blank, frozenset({"E-NO-OS"})),
    Case("disk_without_a_system", data_only, frozenset({"E-NO-OS"})),
    Case("two_roots", two_roots, frozenset({"E-MULTIPLE-ROOTS"})),
    Case("root_that_there_is_not", two_roots, frozenset({"E-NO-SUCH-ROOT"}), "/dev/sdz"),
    Case("windows", windows, frozenset({"E-NO-OS"}), said="no registry"),
    Case("no_kernel", no_kernel, frozenset({"E-KERNEL-NONE"})),
    Case("no_room_in_the_guest", full, frozenset({"E-GUEST-SPACE", "E-KERNEL-NONE"})),
    Case(
        "locked_and_no_key_fits",
        locked,
        frozenset({"E-GUEST-LOCKED"}),
        said="no key that was given opens them: /dev/sda (LUKS)",
        keys=(Key("all", b"wrong"), Key("/dev/sdb", b"passphrase")),
    ),
    Case("damaged_file_system", damaged, frozenset({"E-NO-OS"}), said="does not mount"),
)


def state(paths: list[Path]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_guest_is_named_and_nothing_is_left(case: Case, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    images = case.make(source)
    before = state(images)
    options = v2v.Options(storage=target, root=case.root, keys=case.keys)
    with pytest.raises(v2v.V2VError) as caught:
        v2v.convert(images, options)
    error = caught.value
    found = error.findings if isinstance(error, v2v.BlockedError) else (error.finding,)
    assert case.said in str(error)
    assert case.codes <= {finding.code for finding in found}
    assert list(target.iterdir()) == []
    assert state(images) == before


def test_a_damaged_export_is_named_and_not_what_it_does_to_the_guest(tmp_path: Path) -> None:
    """Its only block is not what its checksum says; QEMU reads it all the same."""
    members = [*blocks("Ref:7", os.urandom(MIB))][:1]
    described = ova_xml(xva_guest({}, [("Ref:7", MIB)]))
    archive = tmp_path / "web.xva"
    pack(archive, [("ova.xml", described), *members, ("Ref:7/00000000.xxhash", b"0" * 16)])
    target = tmp_path / "target"
    target.mkdir()
    report = v2v.plan(archive, v2v.Options(storage=target))
    assert [finding.code for finding in report.blockers] == ["E-XVA-DAMAGED"]
    with pytest.raises(v2v.V2VError, match="Ref:7/00000000 is not what its checksum says"):
        v2v.convert(archive, v2v.Options(storage=target))
    assert list(target.iterdir()) == []


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    source = guest("esx-app") / "esx-app.vmx"
    child = subprocess.Popen(
        [sys.executable, "-m", "v2v", "convert", source, "-os", tmp_path],
        stderr=subprocess.PIPE,
        text=True,
        # A shell has what it starts in the background ignore this signal, and children inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stderr is not None
    for line in child.stderr:
        if "Looking into the guest" in line:
            break
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 130, said
    assert said.endswith("v2v: interrupted\n")
    assert list(tmp_path.iterdir()) == []
