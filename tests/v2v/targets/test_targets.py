# SPDX-License-Identifier: LGPL-2.1-or-later
from pathlib import Path

import pytest

from v2v.domain import Domain
from v2v.errors import ConfigError, TargetError
from v2v.model import DiskFormat
from v2v.options import Options
from v2v.targets import TARGETS, Target, open_target


def target(mode: str, folder: Path, format: DiskFormat = DiskFormat.qcow2) -> Target:
    return open_target(Options(output=mode, storage=folder, format=format))


DOMAIN = Domain(
    (Path(__file__).parents[3] / "fixtures/domains/xen-web.xml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("mode", [mode for mode in TARGETS if mode != "libvirt"])
def test_every_target_takes_a_guest_from_check_to_commit(mode: str, tmp_path: Path) -> None:
    opened = target(mode, tmp_path)
    disks = opened.disks("web", (512, 1024))
    assert [(disk.format, disk.virtual_bytes) for disk in disks] == [
        (DiskFormat.qcow2, 512),
        (DiskFormat.qcow2, 1024),
    ]
    opened.check("web", disks, (512, 1024))
    with opened.writing("web", disks) as writing:
        for _, partial in writing.images:
            partial.touch()
        for path in writing.commit(DOMAIN, "{}"):
            assert path.exists()


def test_the_null_target_leaves_nothing_and_needs_no_folder(tmp_path: Path) -> None:
    null = target("null", tmp_path / "absent")
    disks = null.disks("web", (1 << 60,))
    null.check("web", disks, (1 << 60,))
    with null.writing("web", disks) as writing:
        assert writing.images == ()
        assert writing.commit(Domain("<domain/>"), "{}") == ()
    assert list(tmp_path.iterdir()) == []


def test_the_null_target_refuses_the_names_that_others_refuse(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="it starts with -"):
        target("null", tmp_path).disks("-web", ())


def test_an_unknown_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="-o floppy: no such output") as caught:
        target("floppy", tmp_path)
    assert caught.value.finding.hint == "choose one of local, libvirt, qemu, null"


def test_a_format_that_is_none_for_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="-of vmdk: not a format for the result"):
        target("local", tmp_path, DiskFormat.vmdk)
