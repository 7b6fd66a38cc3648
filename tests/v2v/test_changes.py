# SPDX-License-Identifier: LGPL-2.1-or-later
"""The dict-backed guest keeps the contract; the draft reads what it has drafted."""

from __future__ import annotations

import stat as modes

import pytest

from tests.v2v.contract import TREE, GuestContract, Reader
from v2v.changes import Draft, RemoveFile, RunCommand, SetLabels, UploadFile, WriteFile
from v2v.files import DictFiles, Files, Link


class TestDictFiles(GuestContract):
    @pytest.fixture
    def guest(self) -> DictFiles:
        return DictFiles(TREE)

    @pytest.fixture
    def reader(self, guest: DictFiles) -> Reader:
        def read() -> Files:
            return guest

        return read


@pytest.fixture
def draft() -> Draft:
    return Draft(DictFiles({"/etc/a": "one\n", "/etc/b": Link("a"), "/etc/d/x": "x"}))


def test_a_draft_reads_what_it_has_drafted(draft: Draft) -> None:
    draft.write("/etc/a", "two\n", why="test")
    draft.write("/etc/new", "n", why="test")
    draft.remove("/etc/d/x", why="test")
    assert draft.text("/etc/a") == "two\n"
    assert draft.listdir("/etc") == ("a", "b", "d", "new")
    assert draft.listdir("/etc/d") == ()
    assert not draft.exists("/etc/d/x")
    with pytest.raises(FileNotFoundError):
        draft.read("/etc/d/x")


def test_equal_content_drafts_nothing(draft: Draft) -> None:
    draft.write("/etc/a", "one\n", why="test")
    draft.upload("/etc/a", b"one\n", why="test")
    draft.link("/etc/b", "a", why="test")
    draft.remove("/etc/absent", why="test")
    assert draft.changes == []


def test_writing_through_a_link_changes_the_file_it_leads_to(draft: Draft) -> None:
    draft.write("/etc/b", "two\n", why="test")
    assert draft.changes == [WriteFile("/etc/a", b"one\n", b"two\n", "test")]


def test_removing_a_link_leaves_the_file_it_leads_to(draft: Draft) -> None:
    draft.remove("/etc/b", why="test")
    assert draft.changes == [RemoveFile("/etc/b", None, "test")]
    assert draft.text("/etc/a") == "one\n"


def test_a_link_may_take_a_files_place(draft: Draft) -> None:
    draft.link("/etc/a", "/dev/null", why="test")
    assert draft.readlink("/etc/a") == "/dev/null"
    (change,) = draft.changes
    assert change.describe() == "link /etc/a -> /dev/null"


def test_bytes_that_are_no_utf8_survive_an_edit() -> None:
    guest = DictFiles({"/etc/a": b"caf\xe9 one\n"})
    draft = Draft(guest)
    draft.write("/etc/a", draft.text("/etc/a").replace("one", "two"), why="test")
    assert draft.read("/etc/a") == b"caf\xe9 two\n"


def test_diffs_read_as_git_writes_them() -> None:
    assert WriteFile("/f", b"a\nb\n", b"a\nc\n", "why").diff() == (
        "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    )
    assert WriteFile("/f", None, b"new", "why").diff() == (
        "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+new\n"
    )
    assert RemoveFile("/f", b"old\n", "why").diff() == (
        "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n"
    )


def test_changes_describe_themselves() -> None:
    assert WriteFile("/f", None, b"", "why").describe() == "create /f"
    assert WriteFile("/f", b"", b"x", "why").describe() == "edit /f"
    assert RemoveFile("/f", None, "why").describe() == "remove /f"
    assert RemoveFile("/f", None, "why").diff() is None
    assert UploadFile("/f", bytes(2048), "why").describe() == "upload /f (2,048 bytes)"
    assert UploadFile("/f", b"", "why").diff() is None
    assert RunCommand(("a", "b c"), "why").describe() == "run a 'b c'"
    assert RunCommand(("a",), "why").diff() is None


def test_what_is_made_anew_is_told_with_its_folders(draft: Draft) -> None:
    draft.write("/etc/a", "two\n", why="test")
    draft.write("/etc/new/deep/file", "n", why="test")
    draft.write("/etc/gone", "n", why="test")
    draft.remove("/etc/gone", why="test")
    draft.link("/etc/b", "/dev/null", why="test")
    draft.run("make-it", why="test", makes="/etc/made")
    draft.run("who-knows", why="test")
    assert draft.created() == {
        "/etc/b": modes.S_IFLNK,
        "/etc/made": modes.S_IFREG,
        "/etc/new": modes.S_IFDIR,
        "/etc/new/deep": modes.S_IFDIR,
        "/etc/new/deep/file": modes.S_IFREG,
    }


def test_labels_are_told_and_applied() -> None:
    labels = {"/etc/new": "u:r:t:s0", "/etc/new/x": "u:r:x:s0"}
    change = SetLabels(labels, "why")
    assert change.describe() == "label 2 new files and folders"
    assert change.diff() == "/etc/new u:r:t:s0\n/etc/new/x u:r:x:s0\n"
    guest = DictFiles({"/etc/new/x": ""})
    change.apply(guest)
    assert guest.labels == labels


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/etc/*", ("/etc/a", "/etc/b", "/etc/d", "/etc/new")),
        ("/etc/*/x", ("/etc/d/x",)),
        ("/etc/?", ("/etc/a", "/etc/b", "/etc/d")),
        ("/etc/a", ("/etc/a",)),
        ("/etc/none", ()),
        ("/*/none*", ()),
    ],
)
def test_glob_sees_the_draft(draft: Draft, pattern: str, found: tuple[str, ...]) -> None:
    draft.write("/etc/new", "n", why="test")
    assert draft.glob(pattern) == found


def test_without_guest_code_a_command_is_a_blocker_that_says_what_it_is_for() -> None:
    draft = Draft(DictFiles({}), guest_code=False)
    draft.run("update-initramfs", "-u", why="it lacks virtio", makes="/boot/initrd.img")
    assert draft.changes == []
    found = draft.blockers[0]
    assert found.code == "E-GUEST-CODE"
    assert found.message == (
        "update-initramfs -u: it would have to run in the guest: it lacks virtio"
    )


def test_findings_are_kept_in_their_order(draft: Draft) -> None:
    draft.warn("W-X", "first")
    draft.block("E-X", "no", hint="do")
    assert [found.code for found in draft.warnings] == ["W-X"]
    assert draft.blockers[0].hint == "do"
