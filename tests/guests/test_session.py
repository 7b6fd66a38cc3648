# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real appliance keeps the contract that the dict-backed guest keeps."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.v2v.contract import TREE, GuestContract, Reader
from v2v.changes import WriteBootCode, WriteFile
from v2v.errors import GuestError
from v2v.files import Files, Link
from v2v.guest import session
from v2v.guest.files import GuestFiles
from v2v.guest.session import Drive, Session
from v2v.run import run

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("appliance")]
# Answers what libguestfs asks QEMU for, and then stands still in place of a guest.
_STUCK = """\
#!/usr/bin/python3
import os, sys, time
if any(word.startswith("guestfs") or "virtio-serial" in word for word in sys.argv):
    time.sleep(120)
os.execv("/usr/bin/qemu-system-x86_64", ["qemu-system-x86_64", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ext4 file system with the contract's tree and a shell."""
    root = tmp_path_factory.mktemp("tree")
    for path, entry in TREE.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Link):
            place.symlink_to(entry.target)
        else:
            place.write_bytes(entry.encode() if isinstance(entry, str) else entry)
    for folder in ("bin", "dev", "proc", "sys"):
        (root / folder).mkdir()
    shutil.copy("/bin/busybox", root / "bin/sh")
    made = tmp_path_factory.mktemp("image") / "disk.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", root, made, "32m")
    return made


@pytest.fixture(scope="module")
def source(image: Path) -> Drive:
    return Drive(image, "raw")


@pytest.fixture(scope="module")
def guest(image: Path) -> Iterator[Session]:
    copy = image.with_name("copy.img")
    shutil.copy(image, copy)
    with Session([Drive(copy, "raw")], writable=True) as made:
        made.mount("/dev/sda", "/")
        yield made
        made.umount_all()
        made.finish()


class TestSession(GuestContract):
    @pytest.fixture
    def reader(self, guest: Session) -> Reader:
        def read() -> Files:
            return GuestFiles(guest)

        return read

    def test_a_command_that_fails_is_an_error_that_names_it(self, guest: Session) -> None:
        with pytest.raises(GuestError, match="/bin/sh -c 'exit 3' in the guest"):
            guest.run(("/bin/sh", "-c", "exit 3"), None)

    def test_a_command_that_does_not_make_what_it_should_is_an_error(self, guest: Session) -> None:
        with pytest.raises(GuestError, match="it made no /etc/never"):
            guest.run(("/bin/sh", "-c", "true"), "/etc/never")

    def test_free_space_and_inodes_are_told(self, guest: Session) -> None:
        free, inodes = guest.space("/")
        assert 1 << 20 < free < 32 << 20
        assert inodes is not None
        assert inodes > 100

    def test_a_directory_that_is_too_large_is_not_fetched(
        self, guest: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert b"busybox" in guest.archive("/bin").lower()
        monkeypatch.setattr(session, "_ARCHIVE_LIMIT", 1 << 20)
        with pytest.raises(GuestError, match="reading /bin"):
            guest.archive("/bin")
        monkeypatch.setattr(session, "_READ_LIMIT", 1 << 20)
        with pytest.raises(GuestError, match=r"/bin/sh in the guest: .* are too much"):
            GuestFiles(guest).read("/bin/sh")
        assert guest.names("/bin") == ["sh"]  # the appliance is still of use

    def test_what_is_no_device_does_not_mount(self, guest: Session) -> None:
        with pytest.raises(GuestError, match="/dev/sdx does not mount on /mnt"):
            guest.mount("/dev/sdx", "/mnt")


def test_a_session_for_reading_changes_nothing(source: Drive) -> None:
    before = hashlib.sha256(source.path.read_bytes()).hexdigest()
    with Session([source], writable=False) as reading:
        reading.mount("/dev/sda", "/")
        with pytest.raises(GuestError, match=r"writing /etc/fstab: .*Read-only file system"):
            reading.apply([WriteFile("/etc/fstab", b"", b"changed", "a test")])
        reading.finish()
    assert hashlib.sha256(source.path.read_bytes()).hexdigest() == before


def test_labels_stay_on_what_is_written_over(image: Path, tmp_path: Path) -> None:
    disk = Drive(tmp_path / "disk.img", "raw")
    shutil.copy(image, disk.path)
    label = "system_u:object_r:etc_t:s0"
    paths = ("/etc/fstab", "/boot/vmlinuz-6.1", "/etc/new", "/etc/new/link")
    with Session([disk], writable=True) as guest:
        guest.mount("/dev/sda", "/")
        guest.link("/etc/new/link", "absent")
        for path in paths:
            guest.label(path, label)
        guest.write("/etc/fstab", b"short", None)
        guest.write("/boot/vmlinuz-6.1", bytes(3 << 20), None)  # too long for one message
        guest.umount_all()
        guest.finish()
    for path in paths:
        kept = run("debugfs", "-R", f"ea_get {path} security.selinux", disk.path)
        assert kept.strip() == f'security.selinux (27) = "{label}\\000"'


def test_boot_code_is_written_around_the_partition_table(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    table = bytes(440) + b"signpost and table".ljust(70, b"t") + b"\x55\xaa"
    disk.write_bytes(table + b"\xee" * (8 << 20))
    sector, core = b"\xeb" * 510 + b"\x55\xaa", b"core" * 256
    with Session([Drive(disk, "raw")], writable=True) as guest:
        guest.apply([WriteBootCode("/dev/sda", sector, 3, core, "a test")])
        guest.finish()
    with disk.open("rb") as stream:
        head = stream.read(6 * 512)
    assert head[440:512] == table[440:]
    assert (head[:3], head[0x5A:440]) == (sector[:3], sector[0x5A:440])
    assert head[512 : 3 * 512] == b"\xee" * 1024
    assert head[3 * 512 :] == core + b"\xee" * 512


def test_a_drive_that_is_absent_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(GuestError, match=r"absent\.img: .*No such file"),
        Session([Drive(tmp_path / "absent.img", "raw")], writable=False),
    ):
        pytest.fail("the session began")


def test_an_appliance_that_does_not_come_up_is_an_error(
    source: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "qemu"
    program.write_text(_STUCK)
    program.chmod(0o755)
    monkeypatch.setenv("LIBGUESTFS_HV", str(program))
    monkeypatch.setattr(session, "_LAUNCH", 3.0)
    with (
        pytest.raises(GuestError, match="the libguestfs appliance does not start"),
        Session([source], writable=False),
    ):
        pytest.fail("the session began")
