# SPDX-License-Identifier: LGPL-2.1-or-later
"""What converters may expect of a guest, whether it is a dict or a disk in an appliance.

Subclasses give a ``guest`` fixture made from TREE, and ``reader`` to look at it afresh.
"""

from __future__ import annotations

import stat as modes
from typing import Protocol

import pytest

from v2v.changes import Draft, GuestHandle, UploadFolder
from v2v.files import Files, Link, realpath

TREE: dict[str, bytes | str | Link] = {
    "/etc/fstab": "/dev/xvda1 / ext4 defaults 0 1\n",
    "/etc/os-release": Link("../usr/lib/os-release"),
    "/etc/loop": Link("loop"),
    "/etc/default/grub": "GRUB_TIMEOUT=5\n",
    "/usr/lib/os-release": "ID=debian\n",
    "/lib": Link("usr/lib"),
    "/boot/vmlinuz-6.1": b"\x00\xffkernel",
    "/opt/with space/umlaut-\u00e4": "text",
}


class Reader(Protocol):
    """Gives a reader of the guest as it is now."""

    def __call__(self) -> Files: ...


class GuestContract:
    """Reading, writing, and the law that an applied plan leaves nothing to plan."""

    def test_a_file_is_read_and_described(self, reader: Reader) -> None:
        files = reader()
        assert files.read("/etc/fstab") == b"/dev/xvda1 / ext4 defaults 0 1\n"
        found = files.stat("/etc/fstab")
        assert found is not None
        assert (found.is_file, found.size) == (True, 31)
        assert files.read("/boot/vmlinuz-6.1") == b"\x00\xffkernel"

    def test_names_with_spaces_and_umlauts_are_read(self, reader: Reader) -> None:
        files = reader()
        assert files.listdir("/opt") == ("with space",)
        assert files.read("/opt/with space/umlaut-\u00e4") == b"text"

    def test_directories_are_listed_in_order_and_told_apart(self, reader: Reader) -> None:
        files = reader()
        assert files.listdir("/etc") == ("default", "fstab", "loop", "os-release")
        found = files.stat("/etc/default")
        assert found is not None
        assert found.is_dir

    def test_what_is_absent_is_none_empty_or_an_error(self, reader: Reader) -> None:
        files = reader()
        assert files.stat("/etc/nothing") is None
        assert files.stat("/nowhere/nothing") is None
        assert files.listdir("/nowhere") == ()
        assert files.listdir("/etc/fstab") == ()
        with pytest.raises(FileNotFoundError):
            files.read("/etc/nothing")
        with pytest.raises(FileNotFoundError):
            files.read("/etc/default")
        with pytest.raises(FileNotFoundError):
            files.readlink("/etc/fstab")

    def test_symbolic_links_are_followed_inside_the_guest(self, reader: Reader) -> None:
        files = reader()
        found = files.stat("/etc/os-release")
        assert found is not None
        assert found.is_link
        assert files.readlink("/lib") == "usr/lib"
        assert realpath(files, "/lib/os-release") == "/usr/lib/os-release"
        assert files.read("/etc/os-release") == b"ID=debian\n"
        assert files.read("/lib/os-release") == b"ID=debian\n"
        assert files.listdir("/lib") == ("os-release",)

    def test_a_loop_of_links_is_no_hang(self, reader: Reader) -> None:
        with pytest.raises(FileNotFoundError, match="too many symbolic links"):
            realpath(reader(), "/etc/loop")

    def test_an_applied_plan_is_what_was_drafted_and_leaves_nothing_to_plan(
        self, guest: GuestHandle, reader: Reader
    ) -> None:
        draft = Draft(reader())
        self._steps(draft)
        kinds = [change.kind for change in draft.changes]
        assert kinds == [
            "write_file", "write_file", "upload_file", "write_file", "remove_file", "run_command",
        ]  # fmt: skip
        for change in draft.changes:
            change.apply(guest)
        files = reader()
        assert files.read("/usr/lib/os-release") == b"ID=devuan\n"
        assert files.readlink("/etc/os-release") == "../usr/lib/os-release"
        new = files.stat("/etc/new/deep/file")
        assert new is not None
        assert modes.S_IMODE(new.mode) == 0o640
        assert files.read("/boot/blob") == bytes(3 << 20)
        assert files.readlink("/etc/link") == "/dev/null"
        assert files.stat("/etc/default/grub") is None
        again = Draft(files)
        self._steps(again)
        assert again.changes == []

    def test_a_folder_is_filled_and_keeps_what_it_has(
        self, guest: GuestHandle, reader: Reader
    ) -> None:
        UploadFolder("/srv/grub/i386-pc", {"a.mod": b"old", "b.mod": b"b"}, "a test").apply(guest)
        UploadFolder("/srv/grub/i386-pc", {"a.mod": b"\0new", "c.mod": b""}, "a test").apply(guest)
        files = reader()
        assert files.listdir("/srv/grub/i386-pc") == ("a.mod", "b.mod", "c.mod")
        assert files.read("/srv/grub/i386-pc/a.mod") == b"\0new"
        found = files.stat("/srv/grub/i386-pc/b.mod")
        assert found is not None
        assert (modes.S_IMODE(found.mode), found.uid) == (0o644, 0)

    @staticmethod
    def _steps(draft: Draft) -> None:
        text = draft.text("/etc/os-release")
        draft.write("/etc/os-release", text.replace("debian", "devuan"), why="a test")
        draft.write("/etc/new/deep/file", "new\n", why="a test", mode=0o640)
        draft.upload("/boot/blob", bytes(3 << 20), why="more than one message holds")
        draft.link("/etc/link", "/dev/null", why="a test")
        draft.remove("/etc/default/grub", why="a test")
        if not draft.exists("/etc/made"):
            draft.run("/bin/sh", "-c", "echo made > /etc/made", why="a test", makes="/etc/made")
