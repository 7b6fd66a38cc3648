# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import Step, selinux
from converters.linux.conversion import Conversion
from tests.converters.linux.drafting import Content, case, described, draft
from v2v.changes import Draft, SetLabels, WriteFile

ALMA = "vmware-alma9-selinux"
POLICY = "/etc/selinux/targeted/contexts/files/file_contexts"


def after(step: Step, content: Content | None = None, without: tuple[str, ...] = ()) -> Draft:
    """The draft of a step on a guest with SELinux, labels included."""

    def both(drafted: Draft, conversion: Conversion) -> None:
        step(drafted, conversion)
        selinux.label_what_is_new(drafted, conversion)

    return draft(both, case(ALMA, content or {}, without=without))[0]


def labels(drafted: Draft) -> dict[str, str]:
    """The types that a draft labels files with."""
    return {
        path: label.split(":")[2]
        for change in drafted.changes
        if isinstance(change, SetLabels)
        for path, label in change.labels.items()
    }


def everything(drafted: Draft, _: Conversion) -> None:
    drafted.write("/etc/new/deep/file", "", why="test")
    drafted.upload("/boot/blob", b"\0", why="test")
    drafted.link("/etc/systemd/system/a.service", "/dev/null", why="test")
    drafted.link("/etc/fstab", "/dev/null", why="test")
    drafted.write("/boot/efi/EFI/BOOT/grub.cfg", "", why="test")
    drafted.write("/etc/gone", "", why="test")
    drafted.remove("/etc/gone", why="test")
    drafted.run("dracut", "/boot/initramfs.img", why="test", makes="/boot/initramfs.img")


def test_what_is_new_gets_its_label_and_nothing_else_does() -> None:
    drafted = after(everything)
    assert labels(drafted) == {
        "/boot/blob": "boot_t",
        "/boot/initramfs.img": "boot_t",
        "/etc/fstab": "etc_t",  # a link in place of a file is on a new inode
        "/etc/new": "etc_t",
        "/etc/new/deep": "etc_t",
        "/etc/new/deep/file": "etc_t",
        "/etc/systemd/system/a.service": "systemd_unit_file_t",
    }
    assert drafted.warnings == []


def test_edits_alone_need_no_labels() -> None:
    drafted = after(lambda drafted, _: drafted.write("/etc/fstab", "", why="test"))
    assert described(drafted) == ["edit /etc/fstab"]


@pytest.mark.parametrize("text", ["SELINUX=disabled\n", "# SELINUX=enforcing\n", ""])
def test_a_guest_without_selinux_is_left_alone(text: str) -> None:
    assert labels(after(everything, {"/etc/selinux/config": text})) == {}


def test_a_permissive_guest_is_labelled() -> None:
    content = {"/etc/selinux/config": "SELINUX = x\nSELINUX=permissive\nSELINUXTYPE=targeted\n"}
    assert labels(after(everything, content))["/boot/blob"] == "boot_t"


def test_files_without_a_label_in_the_policy_get_none() -> None:
    drafted = after(everything, {POLICY: "/etc(/.*)?\t<<none>>\n"})
    assert labels(drafted) == {}


@pytest.mark.parametrize(
    ("content", "without", "reason"),
    [
        ({}, (POLICY,), "the policy cannot be asked for labels"),
        ({POLICY: "/b.*\t-z\tu:r:t:s0\n"}, (), "not a line of file_contexts"),
        ({POLICY: "/boot/\\pid\tu:r:t:s0\n"}, (), "that Python does not know"),
    ],
)
def test_without_a_readable_policy_the_guest_relabels_itself(
    content: Content, without: tuple[str, ...], reason: str
) -> None:
    drafted = after(everything, content, without)
    assert labels(drafted) == {"/.autorelabel": "etc_runtime_t"}
    assert reason in drafted.warnings[0].message


def test_after_a_command_of_unknown_effects_the_guest_relabels_itself() -> None:
    drafted = after(lambda drafted, _: drafted.run("rpm", "--rebuilddb", why="test"))
    assert WriteFile("/.autorelabel", None, b"", drafted.changes[1].why, 0o644) in drafted.changes
    assert labels(drafted) == {"/.autorelabel": "etc_runtime_t"}
    assert [found.code for found in drafted.warnings] == ["W-SELINUX-RELABEL"]
    assert "rpm may change any file" in drafted.warnings[0].message
