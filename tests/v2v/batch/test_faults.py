# SPDX-License-Identifier: LGPL-2.1-or-later
"""Killing anything at any moment: nothing is lost, nothing doubled, no source is written.

Real sources (images, and chains of VHDs by nbdkit), overlays, copies and results; the guests have
no system, and what would change it is a write by qemu-io. With real guests and QEMU: tests/guests.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from fixtures.vhd import difference
from tests.v2v.batch.swift import LENGTH, PATTERN, PLACE
from v2v.batch.journal import folder_of
from v2v.batch.processes import marked

ROOT = Path(__file__).parent.parent.parent.parent
WORKER = (sys.executable, str(Path(__file__).with_name("swift.py")))
BATCH = f"""
import signal, sys
from pathlib import Path
from v2v.batch.batch import convert_all
signal.signal(signal.SIGTERM, signal.default_int_handler)
result = convert_all(Path(sys.argv[1]), resume=True, worker={WORKER!r})
sys.exit(0 if result.is_done else 1)
"""
KILLS = 50
MIB = 1 << 20
SIZE = 48 * MIB
VICTIMS = ("batch", "worker", "qemu-img", "nbdkit", "everything")
SECONDS = 900  # a bound that a healthy run is far from


class Scene:
    """Guests, their plan, and what they are to become."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self.plan = folder / "plan.yaml"
        self.out = folder / "out"
        self.out.mkdir()
        self.expected: dict[str, str] = {}  # name of an image to the hash of its content
        guests = []
        for number in range(3):
            self._disk(folder / f"raw{number}.img", f"raw{number}-sda.qcow2", rng)
            config = f'name = "raw{number}"\nmemory = 64\ndisk = [ "raw{number}.img,raw,hda,w" ]\n'
            if number == 2:
                self._disk(folder / "more.img", "raw2-sdb.qcow2", rng)
                config = config.replace('hda,w"', 'hda,w", "more.img,raw,hdb,w"')
            (folder / f"raw{number}.cfg").write_text(config + 'builder = "hvm"\n')
            guests.append({"source": f"raw{number}.cfg"})
        for number in range(2):
            guests.append({"source": self._chain(number, rng), "output_name": f"vhd{number}"})
        self.names = ["raw0", "raw1", "raw2", "vhd0", "vhd1"]
        self.sources = self._hashes()
        self.plan.write_text(yaml.safe_dump({
            "defaults": {"output_storage": "out"}, "jobs": 3, "guests": guests,
        }))  # fmt: skip

    def _disk(self, path: Path, image: str, rng: random.Random) -> None:
        """Make a disk with a partition table, data and holes."""
        data = bytearray(SIZE)
        entry = bytes((0x80, 0, 2, 0, 0x83, 0, 0, 0)) + (2048).to_bytes(4, "little")
        data[446:462] = entry + (SIZE // 512 - 2048).to_bytes(4, "little")
        data[510:512] = b"\x55\xaa"
        for start in range(MIB, SIZE, 3 * MIB):
            data[start : start + 2 * MIB] = rng.randbytes(2 * MIB)
        path.write_bytes(data)
        data[PLACE : PLACE + LENGTH] = bytes((PATTERN,)) * LENGTH
        self.expected[image] = hashlib.sha256(data).hexdigest()

    def _chain(self, number: int, rng: random.Random) -> str:
        """Make a VHD and its child, which nbdkit has to serve."""
        after, before = self.folder / "after", self.folder / "before"
        self._disk(after, f"vhd{number}-sda.qcow2", rng)
        old = bytearray(after.read_bytes())
        old[10 * MIB : 11 * MIB] = rng.randbytes(MIB)
        before.write_bytes(old)
        base, child = self.folder / f"base{number}.vhd", self.folder / f"child{number}.vhd"
        argv = ("qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", "force_size=on")
        subprocess.run((*argv, before, base), check=True)
        difference(child, base, before, after)
        after.unlink()
        before.unlink()
        return child.name

    def _hashes(self) -> dict[str, str]:
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.folder.iterdir()
            if path.suffix in (".img", ".vhd", ".cfg")
        }

    def check_names(self) -> None:
        """No file under a final name is anything but whole."""
        for image in self.out.glob("*.qcow2"):
            assert _content(image) == self.expected[image.name], image.name
        for name in self.names:
            if (self.out / f"{name}.xml").exists():
                wanted = [image for image in self.expected if image.startswith(f"{name}-")]
                assert all((self.out / image).exists() for image in wanted), name
                json.loads((self.out / f"{name}.report.json").read_text())

    def check_end(self) -> None:
        """All is there, once, and nothing else."""
        self.check_names()
        finals = {*self.expected, *(f"{name}.xml" for name in self.names)}
        finals |= {f"{name}.report.json" for name in self.names}
        assert {path.name for path in self.out.iterdir()} == finals
        journal = (folder_of(self.plan) / "journal").read_text()
        lines = [json.loads(line) for line in journal.splitlines()]
        done: Counter[str] = Counter()
        for line in lines[1:]:
            assert not done[line["guest"]], f"{line['guest']} was begun again"
            done[line["guest"]] += line["state"] == "done"
        assert done == Counter(self.names)
        assert self._hashes() == self.sources
        assert list(marked(lines[0]["batch"])) == []
        assert not Path(lines[0]["scratch"]).exists()

    def begin_anew(self) -> None:
        for path in (*self.out.iterdir(), *folder_of(self.plan).iterdir()):
            path.unlink()


def _content(image: Path) -> str:
    copy = image.parent.with_name("content")
    subprocess.run(("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, copy), check=True)
    return hashlib.sha256(copy.read_bytes()).hexdigest()


def _victims(kind: str, batch: int, plan: Path) -> list[int]:
    """Return the processes of a kind that there are now."""
    if kind == "batch":
        return [batch]
    journal = folder_of(plan) / "journal"
    first = journal.read_text().partition("\n")[0] if journal.exists() else ""
    if not first:
        return []
    found = list(marked(json.loads(first)["batch"]))
    if kind == "everything":
        return [batch, *found]
    return [process for process in found if _is(process, kind)][:1]


def _is(process: int, kind: str) -> bool:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        return False
    name = words[0].rpartition(b"/")[2].decode()
    return name == kind or (kind == "worker" and any(b"swift.py" in word for word in words))


def _kill(kind: str, batch: subprocess.Popen[bytes], plan: Path) -> bool:
    """Kill processes of a kind as soon as there are any; False if the batch ends before."""
    while batch.poll() is None:
        victims = _victims(kind, batch.pid, plan)
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                victims.remove(victim)
        if victims:
            return True
        time.sleep(0.002)
    return False


@pytest.mark.guest
@pytest.mark.parametrize("seed", [20261130])
def test_anything_may_be_killed_at_any_moment(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    rng = random.Random(seed)
    scene = Scene(tmp_path, rng)
    killed: Counter[str] = Counter()
    deadline = time.monotonic() + SECONDS
    while killed.total() < KILLS:
        assert time.monotonic() < deadline, killed
        with subprocess.Popen([sys.executable, "-c", BATCH, str(scene.plan)], cwd=ROOT) as batch:
            while batch.poll() is None:
                time.sleep(rng.uniform(0, 0.8))
                kind = rng.choice(VICTIMS)
                killed[kind] += _kill(kind, batch, scene.plan)
        scene.check_names()
        if batch.returncode == 0:
            scene.check_end()
            scene.begin_anew()
    done = subprocess.run([sys.executable, "-c", BATCH, str(scene.plan)], check=False, cwd=ROOT)
    assert done.returncode == 0
    scene.check_end()
    assert all(killed[kind] for kind in VICTIMS), killed
