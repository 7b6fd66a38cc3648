# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checking tools say; the logs are theirs, shortened."""

from __future__ import annotations

import pytest

from v2v.guest.checks import judged

CLEAN = """e2fsck 1.47.0 (5-Feb-2023)
Pass 1: Checking inodes, blocks, and sizes
/dev/sda1: 11/16384 files (0.0% non-contiguous), 9513/65536 blocks
"""
DAMAGED = """e2fsck 1.47.0 (5-Feb-2023)
/dev/sda1 contains a file system with errors, check forced.
Pass 1: Checking inodes, blocks, and sizes
Pass 2: Checking directory structure
Entry 'sh' in /bin (1921) has deleted/unused inode 16.  Clear? no

Fix? no

/dev/sda1: ********** WARNING: Filesystem still has errors **********
"""
XFS = """Phase 1 - find and verify superblock...
Phase 2 - using internal log
        - zero log...
agf_freeblks 3, counted 20470 in ag 1
        - found root inode chunk
No modify flag set, skipping filesystem flush and exiting.
"""
AGFL = """Phase 2 - using internal log
bad agbno 4294967295 in agfl, agno 0
bad agbno 4294967295 in agfl, agno 1
        - found root inode chunk
"""
NEWER = "e2fsck 1.46.2\n/dev/sda1 has unsupported feature(s): FEATURE_C12\nGet a newer version!\n"


@pytest.mark.parametrize(
    ("kind", "status", "log", "found"),
    [
        ("ext4", 0, CLEAN, None),
        ("ext4", 4, DAMAGED, "E-FILESYSTEM: Entry 'sh' in /bin (1921) has deleted/unused"),
        ("ext2", 4, CLEAN, "E-FILESYSTEM: it is marked as having errors"),
        ("ext4", 12, NEWER, "W-FILESYSTEM: /dev/sda1 has unsupported feature(s): FEATURE_C12"),
        ("ext4", 127, "sh: e2fsck: not found\n", "W-FILESYSTEM: sh: e2fsck: not found"),
        ("xfs", 0, XFS, None),
        ("xfs", 1, XFS, "E-FILESYSTEM: agf_freeblks 3, counted 20470 in ag 1"),
        ("xfs", 1, AGFL, None),
        ("xfs", 1, AGFL + XFS, "E-FILESYSTEM: bad agbno 4294967295 in agfl, agno 0"),
        ("xfs", 1, "Phase 1 - find\n", "E-FILESYSTEM: it is marked as having errors"),
        ("xfs", 1, "Superblock has unknown incompatible features (0x40).\n", "W-FILESYSTEM:"),
        ("xfs", 137, "", "W-FILESYSTEM: no message"),
        ("btrfs", 1, "Opening filesystem to check...\nERROR: cannot open file system\n",
         "E-FILESYSTEM: ERROR: cannot open file system"),
    ],
)  # fmt: skip
def test_damage_is_told_from_a_check_that_could_not_be_done(
    kind: str, status: int, log: str, found: str | None
) -> None:
    said = [
        f"{finding.code}: {finding.message.split(': ', 1)[1]}"
        for finding in judged(kind, "/dev/sda1 (/)", status, log, "a hint")
    ]
    assert len(said) == (found is not None)
    assert found is None or said[0].startswith(found)
