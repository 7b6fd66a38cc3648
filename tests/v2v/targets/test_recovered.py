# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a conversion that is killed while its result appears leaves, and what becomes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from v2v.disks.scratch import abandoned, work_folder
from v2v.options import Options
from v2v.targets import open_target
from v2v.targets.local import LocalTarget

# Writes a guest of two disks and is gone at the call of a function of os with a number.
KILLED = """
import errno, os, sys
from pathlib import Path
from v2v.domain import Domain
from v2v.options import Options
from v2v.targets.local import LocalTarget

folder, name, number, links = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "links"
calls = 0

def dying(function):
    def called(*args, **kwargs):
        global calls
        calls += 1
        if calls == number:
            os._exit(9)
        return function(*args, **kwargs)
    return called

def no_links(*args):
    raise OSError(errno.EPERM, "no links")

if not links:
    os.link = no_links
setattr(Path if name == "replace" else os, name, dying(getattr(Path if name == "replace" else os, name)))
target = LocalTarget(Options(storage=Path(folder)))
with target.writing("web", target.disks("web", (4096, 8192))) as writing:
    for disk, partial in writing.images:
        partial.write_bytes(b"x" * disk.virtual_bytes)
    writing.commit(Domain("<domain/>"), "{}")
"""  # noqa: E501
WHOLE = ["web-sda.qcow2", "web-sdb.qcow2", "web.report.json", "web.xml"]


def local(folder: Path) -> LocalTarget:
    return LocalTarget(Options(storage=folder))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def kill(folder: Path, function: str, number: int, links: str) -> int:
    argv = (sys.executable, "-c", KILLED, str(folder), function, str(number), links)
    return subprocess.run(argv, check=False, timeout=60).returncode


@pytest.mark.parametrize(
    ("function", "number", "links"),
    [
        ("fsync", 1, "links"),
        *(("link", number, "links") for number in range(1, 5)),
        *(("replace", number, "no links") for number in range(1, 5)),
    ],
)
def test_what_is_not_whole_is_taken_back(
    tmp_path: Path, function: str, number: int, links: str
) -> None:
    (tmp_path / "web-other.txt").write_text("of somebody else")
    assert kill(tmp_path, function, number, links) == 9
    assert len(names(tmp_path)) > 1
    assert not local(tmp_path).recovered("web")
    assert names(tmp_path) == ["web-other.txt"]


@pytest.mark.parametrize("links", ["links", "no links"])
def test_what_is_whole_stays(tmp_path: Path, links: str) -> None:
    # The last fsync(2) is that of the folder, when all names are there.
    assert kill(tmp_path, "fsync", 5, links) == 9
    assert len(names(tmp_path)) == 5
    assert local(tmp_path).recovered("web")
    assert names(tmp_path) == WHOLE
    assert local(tmp_path).recovered("web")


def test_nothing_was_begun(tmp_path: Path) -> None:
    assert not local(tmp_path).recovered("web")
    assert not open_target(Options(output="null")).recovered("web")


def test_the_work_of_others_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".v2v-web-2-abcdefgh").mkdir()
    (tmp_path / ".v2v-web-notes").mkdir()
    with work_folder(tmp_path, "web") as work:
        assert not local(tmp_path).recovered("web")
        assert work.is_dir()
        assert list(abandoned(tmp_path, "web")) == []
    assert names(tmp_path) == [".v2v-web-2-abcdefgh", ".v2v-web-notes"]


def test_a_name_that_somebody_else_took_is_left_to_him(tmp_path: Path) -> None:
    assert kill(tmp_path, "link", 2, "links") == 9
    (tmp_path / "web-sdb.qcow2").write_text("of somebody else")
    assert not local(tmp_path).recovered("web")
    assert names(tmp_path) == ["web-sdb.qcow2"]
