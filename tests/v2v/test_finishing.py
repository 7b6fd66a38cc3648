# SPDX-License-Identifier: LGPL-2.1-or-later
"""v2v finish: images of guests that are shut off, and in a QEMU that really runs (paused).

tests/guests/test_libvirt.py has it in a real libvirt.
"""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import libvirt
import pytest

from v2v.disks.image import inspect_image
from v2v.disks.lazy import is_lazy
from v2v.disks.qemu_img import create_overlay
from v2v.errors import ProofError, TargetError
from v2v.finishing import finish
from v2v.model import Disk, DiskFormat
from v2v.observer import Copied, Event, Observer, Stage
from v2v.run import run

MIB = 1 << 20
URI = "test:///default"


class Listener(Observer):
    """Keeps what it hears, and gives up at the first bytes if it is told to."""

    def __init__(self, *, gives_up: bool = False) -> None:
        self.stages: list[str] = []
        self._gives_up = gives_up

    def see(self, event: Event) -> None:
        if isinstance(event, Stage):
            self.stages.append(event.text)
        elif isinstance(event, Copied) and self._gives_up:
            raise KeyboardInterrupt


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """Return the XML of a guest with two disks, of which the second is complete."""
    source = tmp_path / "source.raw"
    source.write_bytes(b"s" * (32 * MIB))
    image = inspect_image(Disk(str(source), DiskFormat.raw), tmp_path, trust=False)
    create_overlay(image, tmp_path / "web-sda.qcow2", by_name=True)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "web-sdb.qcow2", "1M"], check=True
    )
    disks = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{tmp_path}/web-{name}.qcow2'/><target dev='{device}'/></disk>"
        for name, device in (("sda", "vda"), ("sdb", "vdb"))
    )
    xml = tmp_path / "web.xml"
    xml.write_text(
        "<domain type='kvm'><name>web</name><memory>1024</memory><os><type>hvm</type></os>"
        f"<devices>{disks}</devices></domain>"
    )
    return xml


def image(guest: Path) -> Path:
    return guest.with_name("web-sda.qcow2")


def stands_alone(path: Path) -> bool:
    """Tell whether an image has all its data without its source."""
    path.with_name("source.raw").unlink()
    out = path.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, out], check=True)
    return out.read_bytes() == b"s" * (32 * MIB)


def test_a_guest_that_is_shut_off_gets_its_data(guest: Path) -> None:
    listener = Listener()
    assert finish(str(guest), observer=listener) == (image(guest),)
    assert listener.stages == ["Copying the rest of web-sda.qcow2"]
    assert stands_alone(image(guest))
    assert finish(str(guest)) == ()  # there is nothing left to do


def test_the_script_stands_for_its_guest(guest: Path) -> None:
    guest.with_suffix(".sh").touch()
    assert finish(str(guest.with_suffix(".sh"))) == (image(guest),)


def test_what_is_no_domain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProofError, match=r"absent\.xml: no such file"):
        finish(str(tmp_path / "absent.xml"))


def test_a_socket_that_qemu_left_behind_means_nothing(guest: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(guest.with_suffix(".qmp")))
    assert finish(str(guest)) == (image(guest),)


@contextmanager
def running(guest: Path, room: int = 1 << 40) -> Iterator[None]:
    """Have a QEMU with the guest's disks and its monitor, as a script starts it.

    Its images cannot get larger than ``room``.
    """
    disks = [
        word
        for at, name in enumerate(("sda", "sdb"))
        for word in (
            "-blockdev",
            f"qcow2,node-name=drive{at},file.driver=file,file.filename=web-{name}.qcow2",
        )
    ]
    monitor = guest.with_suffix(".qmp")
    argv = [
        "prlimit",
        f"--fsize={room}",
        "qemu-system-x86_64",
        "-S",
        "-nodefaults",
        "-display",
        "none",
        "-machine",
        "none",
    ]
    argv += ["-qmp", f"unix:{monitor.name},server=on,wait=off"]  # as its path may be too long
    argv += disks
    child = subprocess.Popen(argv, cwd=guest.parent, restore_signals=False)  # SIGXFSZ: ignored
    try:
        deadline = time.monotonic() + 60
        while not monitor.exists():
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        child.terminate()
        child.wait(60)


def test_a_guest_that_runs_gets_its_data_from_qemu(guest: Path) -> None:
    listener = Listener()
    with running(guest):
        assert finish(str(guest), observer=listener) == (image(guest),)
        assert finish(str(guest)) == ()
    assert listener.stages == ["Copying the rest of web-sda.qcow2 while the guest runs"]
    assert stands_alone(image(guest))


def test_a_long_path_to_the_monitor_is_no_hindrance(guest: Path) -> None:
    deep = guest.parent / ("d" * 120)
    deep.mkdir()
    for path in guest.parent.glob("web*"):
        path.rename(deep / path.name)
    moved = deep / guest.name
    moved.write_text(moved.read_text().replace(f"{guest.parent}/", f"{deep}/"))
    with running(moved):
        assert finish(str(moved)) == (image(moved),)


def test_a_disk_that_was_written_and_discarded_everywhere_is_streamed(guest: Path) -> None:
    """As a conversion and its fstrim leave it; with subclusters, QEMU 7.2 died of this."""
    chance = random.Random(7)
    commands: list[str] = []
    for _ in range(300):
        at, length = chance.randrange(0, 31 * MIB, 4096), chance.choice((4096, 20480, 131072))
        what = chance.choice(("write -P 7", "discard", "write -z -u"))
        commands += ["-c", f"{what} {at} {length}"]
    run("qemu-io", "-d", "unmap", "-f", "qcow2", *commands, image(guest))
    run("qemu-img", "convert", "-O", "raw", image(guest), guest.with_name("before"))
    with running(guest):
        assert finish(str(guest)) == (image(guest),)
    guest.with_name("source.raw").unlink()
    run("qemu-img", "convert", "-O", "raw", image(guest), guest.with_name("after"))
    assert guest.with_name("after").read_bytes() == guest.with_name("before").read_bytes()


def test_a_finish_in_qemu_can_be_interrupted_and_done_again(guest: Path) -> None:
    with running(guest):
        with pytest.raises(KeyboardInterrupt):
            finish(str(guest), observer=Listener(gives_up=True))
        finish(str(guest))
    assert stands_alone(image(guest))


def test_images_that_something_else_has_open_are_left_alone(guest: Path) -> None:
    with running(guest):
        guest.with_suffix(".qmp").rename(guest.with_name("elsewhere"))
        with pytest.raises(TargetError, match=r"web-sda\.qcow2: it is in use") as caught:
            finish(str(guest))
        assert is_lazy(image(guest))
    assert caught.value.finding.code == "E-FINISH"


def test_a_job_that_fails_is_an_error_and_the_guest_keeps_its_source(guest: Path) -> None:
    with running(guest, room=8 * MIB), pytest.raises(TargetError, match="File too large") as caught:
        finish(str(guest))
    assert caught.value.finding.code == "E-FINISH"
    assert is_lazy(image(guest))


@pytest.fixture
def connection(guest: Path) -> Iterator[libvirt.virConnect]:
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    opened = libvirt.open(URI)
    defined = opened.defineXMLFlags(guest.read_text())
    yield opened
    defined.undefine()
    opened.close()


def test_a_domain_of_libvirt_that_is_shut_off(guest: Path, connection: libvirt.virConnect) -> None:
    assert finish("web", URI) == (image(guest),)
    assert stands_alone(image(guest))


def test_a_domain_that_libvirt_does_not_have(connection: libvirt.virConnect) -> None:
    with pytest.raises(TargetError, match="domain other: test:///default has none") as caught:
        finish("other", URI)
    assert caught.value.finding.code == "E-FINISH"
