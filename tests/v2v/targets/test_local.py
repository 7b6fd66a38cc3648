# SPDX-License-Identifier: LGPL-2.1-or-later
import array
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from v2v.domain import Domain
from v2v.errors import TargetError
from v2v.model import Allocation, DiskFormat, TargetDisk
from v2v.options import Options
from v2v.targets import Writing
from v2v.targets.local import LocalTarget
from v2v.targets.naming import MAX_NAME

DOMAIN = Domain("<domain/>\n")
REPORT = '{"schema": 1}\n'
SIZES = (4096, 8192)
PETABYTES = 1 << 60
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL = 0x80086601, 0x40086602, 0x10  # linux/fs.h


def local(folder: Path, allocation: Allocation = Allocation.sparse) -> LocalTarget:
    return LocalTarget(Options(storage=folder, allocation=allocation))


def fill(writing: Writing) -> None:
    for disk, partial in writing.images:
        partial.write_bytes(b"x" * disk.virtual_bytes)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def check(target: LocalTarget, name: str = "web") -> tuple[TargetDisk, ...]:
    disks = target.disks(name, SIZES)
    target.check(name, disks, SIZES)
    return disks


def convert(target: LocalTarget, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Write a guest; ``meanwhile`` happens after the images are filled."""
    with target.writing("web", check(target)) as writing:
        fill(writing)
        meanwhile()
        writing.commit(DOMAIN, REPORT)


def test_images_definition_and_report_appear_and_nothing_else(tmp_path: Path) -> None:
    target = local(tmp_path)
    disks = check(target)
    with target.writing("web", disks) as writing:
        fill(writing)
        paths = writing.commit(DOMAIN, REPORT)
    expected = ["web.xml", "web.report.json", "web-sda.qcow2", "web-sdb.qcow2"]
    assert paths == tuple(tmp_path / name for name in expected)
    assert names(tmp_path) == sorted(expected)
    assert (tmp_path / "web.xml").read_text() == DOMAIN.xml
    assert (tmp_path / "web.report.json").read_text() == REPORT
    assert [disk.path.stat().st_size for disk in disks] == [*SIZES]


def test_disks_say_where_they_will_be_without_touching_anything(tmp_path: Path) -> None:
    target = LocalTarget(
        Options(
            storage=tmp_path / "absent",
            format=DiskFormat.raw,
            allocation=Allocation.preallocated,
        )
    )
    assert target.disks("web", (512,)) == (
        TargetDisk(tmp_path / "absent/web-sda.raw", DiskFormat.raw, 512, Allocation.preallocated),
    )
    assert names(tmp_path) == []


def test_a_relative_folder_becomes_absolute_as_libvirt_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert local(Path()).disks("web", (1,))[0].path == tmp_path / "web-sda.qcow2"


def test_the_folder_is_empty_until_the_commit_but_for_a_private_work_folder(
    tmp_path: Path,
) -> None:
    target = local(tmp_path)
    with target.writing("web", check(target)) as writing:
        fill(writing)
        (work,) = tmp_path.iterdir()
        assert work.name.startswith(".v2v-web-")
        assert work.stat().st_mode & 0o777 == 0o700
        assert {partial.parent for _, partial in writing.images} == {work}


def test_what_is_not_committed_leaves_nothing(tmp_path: Path) -> None:
    target = local(tmp_path)
    with target.writing("web", check(target)) as writing:
        fill(writing)
    assert names(tmp_path) == []


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    def fail() -> None:
        raise failure

    with pytest.raises(failure):
        convert(local(tmp_path), fail)
    assert names(tmp_path) == []


@pytest.mark.parametrize("late", ["web-sdb.qcow2", "web.report.json", "web.xml"])
def test_a_name_taken_while_images_grow_is_not_written_over_and_nothing_appears(
    tmp_path: Path, late: str
) -> None:
    with pytest.raises(TargetError, match=f"{late}: file exists") as caught:
        convert(local(tmp_path), lambda: (tmp_path / late).write_text("precious"))
    assert caught.value.finding.code == "E-TARGET-WRITE"
    assert names(tmp_path) == [late]
    assert (tmp_path / late).read_text() == "precious"


def test_an_image_that_was_never_written_is_an_error_and_nothing_appears(tmp_path: Path) -> None:
    target = local(tmp_path)
    with (
        pytest.raises(TargetError, match=r"web-sda.qcow2: no such file") as caught,
        target.writing("web", check(target)) as writing,
    ):
        writing.commit(DOMAIN, REPORT)
    assert caught.value.finding.code == "E-TARGET-WRITE"
    assert names(tmp_path) == []


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links, such as exFAT."""

    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(
            errno.EPERM, "Operation not permitted", str(source), None, str(target)
        )

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_links")
def test_a_file_system_without_hard_links_does_too(tmp_path: Path) -> None:
    convert(local(tmp_path))
    assert (tmp_path / "web-sdb.qcow2").stat().st_size == SIZES[1]
    assert len(names(tmp_path)) == 4


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_nothing_is_written_over_either(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"web.xml: file exists"):
        convert(local(tmp_path), lambda: (tmp_path / "web.xml").write_text("precious"))
    assert names(tmp_path) == ["web.xml"]
    assert (tmp_path / "web.xml").read_text() == "precious"


@pytest.mark.parametrize(("has_password", "mode"), [(True, 0o600), (False, 0o644)])
def test_a_definition_with_a_password_is_private(
    tmp_path: Path, has_password: bool, mode: int
) -> None:
    target = local(tmp_path)
    umask = os.umask(0o022)
    with target.writing("web", ()) as writing:
        writing.commit(Domain("<domain/>", has_password=has_password), REPORT)
    os.umask(umask)
    modes = {(tmp_path / name).stat().st_mode & 0o777 for name in ("web.xml", "web.report.json")}
    assert modes == {mode}


@pytest.mark.parametrize("name", ["web.xml", "web.report.json", "web-sdb.qcow2"])
def test_what_exists_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(TargetError, match=f"{name}: exists already") as caught:
        check(local(tmp_path))
    assert caught.value.finding.code == "E-TARGET-EXISTS"


def test_a_dangling_link_exists_too(tmp_path: Path) -> None:
    (tmp_path / "web-sda.qcow2").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TargetError, match=r"web-sda.qcow2: exists already"):
        check(local(tmp_path))


def test_a_bad_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="it holds a /"):
        local(tmp_path).disks("a/b", SIZES)


def test_the_longest_name_fits(tmp_path: Path) -> None:
    target, name = local(tmp_path), "n" * MAX_NAME
    disks = target.disks(name, [512] * 800)  # sdaaa and beyond
    with target.writing(name, disks) as writing:
        fill(writing)
        assert len(writing.commit(DOMAIN, REPORT)) == 802


def test_an_absent_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="absent: no such file or directory") as caught:
        check(local(tmp_path / "absent"))
    assert caught.value.finding.code == "E-TARGET-FOLDER"


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TargetError, match="file/out: not a directory"):
        check(local(tmp_path / "file/out"))


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TargetError, match="file: not a folder"):
        check(local(tmp_path / "file"))


def test_a_folder_whose_path_xml_cannot_hold_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a\nb").mkdir()
    with pytest.raises(TargetError, match=r"a\\nb': a domain XML cannot hold this path"):
        check(local(tmp_path / "a\nb"))


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody can write to: immutable for root, whom permission bits do not bind."""
    folder = tmp_path / "frozen"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    flags = array.array("l", [0])
    try:
        fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, flags)
        fcntl.ioctl(descriptor, FS_IOC_SETFLAGS, array.array("l", [flags[0] | FS_IMMUTABLE_FL]))
    except OSError as error:
        os.close(descriptor)
        pytest.skip(f"no immutable folders here: {error}")
    yield folder
    fcntl.ioctl(descriptor, FS_IOC_SETFLAGS, flags)
    os.close(descriptor)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(frozen: Path) -> None:
    with pytest.raises(TargetError, match="frozen: this folder cannot be written to") as caught:
        check(local(frozen))
    assert caught.value.finding.code == "E-TARGET-FOLDER"


def test_a_folder_that_becomes_read_only_meanwhile_is_an_error(frozen: Path) -> None:
    with (
        pytest.raises(TargetError, match=r"not permitted|permission denied") as caught,
        local(frozen).writing("web", ()),
    ):
        raise AssertionError("the work folder was made")
    assert caught.value.finding.code == "E-TARGET-WRITE"


def test_too_little_space_is_refused(tmp_path: Path) -> None:
    target = local(tmp_path)
    disks = target.disks("web", (PETABYTES,))
    target.check("web", disks, (4096,))
    with pytest.raises(TargetError, match=r"1024\.0 PiB are needed, .* are free") as caught:
        target.check("web", disks, (PETABYTES,))
    assert caught.value.finding.code == "E-TARGET-SPACE"


def test_preallocated_images_need_their_whole_size(tmp_path: Path) -> None:
    target = local(tmp_path, Allocation.preallocated)
    with pytest.raises(TargetError, match="are needed"):
        target.check("web", target.disks("web", (PETABYTES,)), (4096,))
