# SPDX-License-Identifier: LGPL-2.1-or-later
"""The state of the guest's file systems: whether they are sound, and have room.

Nothing is ever repaired: that is for the guest's administrator to decide, who has backups. What a
conversion writes to is checked whole before it. What it only mounts is asked for its flags (ext2 to
ext4 keep them), since a full check of terabytes takes hours.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from v2v.errors import Finding, GuestError
from v2v.guest.mounts import Mount
from v2v.guest.session import Session
from v2v.guest.volumes import Volumes
from v2v.units import iec

_MIB = 1 << 20
MIN_FREE_INODES = 100
HIBERNATED = "swsuspend"  # what blkid(8) calls a swap area with an image of the memory
# At the end of a swap file's first page; linux/kernel/power/swap.c
_SUSPENDED = re.compile(
    rb"S1SUSPEND|S2SUSPEND|ULSUSPEND|LINHIB0001|\xed\xc3\x02\xe9\x98\x56\xe5\x0c"
)
_PAGE = 4096
_MARK_AT = _PAGE - 10


@dataclass(frozen=True, slots=True)
class _Check:
    """A tool that checks a kind of file system without repairing it."""

    whole: str
    quick: str | None  # None: there is none that would take seconds
    damaged: int  # exit status; others mean that it could not tell


# What was mounted in the future is no damage: clocks of guests, hosts and appliances differ.
_NO_CLOCK = """\
printf '[options]\\nbroken_system_clock = true\\n' > conf
export E2FSCK_CONFIG=$PWD/conf
"""
_E2FSCK = _Check("e2fsck -f -n", "e2fsck -n", 4)  # e2fsck(8)
_CHECKS = {
    "ext2": _E2FSCK,
    "ext3": _E2FSCK,
    "ext4": _E2FSCK,
    "xfs": _Check("xfs_repair -n -P", None, 1),  # -P takes less memory, xfs_repair(8)
    "btrfs": _Check("btrfs check --readonly", None, 1),
}
_BEFORE_HINT = (
    "let the guest check it on its old host (boot it with fsck.mode=force), or pass --no-fsck to"
    " convert it as it is"
)
_AFTER_HINT = "it was sound before the conversion: look for errors of this host's memory and disks"
# A fault of RHEL 7's kernel, which later ones tolerate and repair (RHEL-178287).
_TOLERATED = re.compile(r"bad agbno \d+ in agfl")
_UNKNOWN = re.compile(r"unsupported|unknown (?:read-only |in)?compatible|memory", re.IGNORECASE)
_QUESTION = re.compile(r"\s+[\w ]+\? no$|^\s+|\s+$")
_CHATTER = re.compile(
    r"e2fsck \d|Pass \d|Phase \d|\s+- |No modify flag|Opening filesystem|Checking filesystem|UUID:"
    r"|\[\d/\d\]|Fix\? no|found \d+ bytes|total |file data|btree space|referenced|\s*$|.*: clean,"
    r"|.*(?:contains a file system with errors|was not cleanly|WARNING: Filesystem still)"
    r"|.*has been mounted|.*\d+/\d+ (?:files|blocks)"
)


def check(session: Session, volumes: Volumes, mounts: Iterable[Mount]) -> tuple[Finding, ...]:
    """Return what is wrong with file systems that are to be mounted. Raises GuestError."""
    commands = [
        (mount, tool.whole if mount.system else tool.quick)
        for mount, tool in _with_tools(volumes, mounts)
    ]
    return _run(session, volumes, commands, _BEFORE_HINT)


def finish(session: Session, volumes: Volumes, mounts: Iterable[Mount], *, fsck: bool) -> None:
    """Leave arrays clean, and file systems that were written to as sound as they were.

    They were checked whole before. Since then only the kernel wrote to them, and what it finds
    wrong it notes in the superblock of an ext4, so that a quick check will do. Raises GuestError.
    """
    if any(volume.kind.startswith("raid") for volume in volumes):
        # Written to a moment ago, it is marked as dirty: the guest would copy all of one half.
        session.gather("mdadm --wait-clean --scan")
    commands = [
        (mount, tool.quick or tool.whole)
        for mount, tool in _with_tools(volumes, mounts)
        if mount.system and fsck
    ]
    for finding in _run(session, volumes, commands, _AFTER_HINT):
        if finding.code == "E-FILESYSTEM":
            raise GuestError(finding.code, finding.message, hint=finding.hint)


def _with_tools(volumes: Volumes, mounts: Iterable[Mount]) -> Iterator[tuple[Mount, _Check]]:
    """Yield each file system once, with what checks it."""
    seen = set()
    for mount in mounts:
        volume = volumes.get(mount.device)
        if volume is not None and volume.type in _CHECKS and volume.device not in seen:
            seen.add(volume.device)
            yield mount, _CHECKS[volume.type]


def _run(
    session: Session,
    volumes: Volumes,
    commands: Iterable[tuple[Mount, str | None]],
    hint: str,
) -> tuple[Finding, ...]:
    looked = [
        (volume, mount, command)
        for mount, command in commands
        if command is not None and (volume := volumes.get(mount.device)) is not None
    ]
    if not looked:
        return ()
    found = session.gather(
        _NO_CLOCK
        + "\n".join(
            f"{command} {shlex.quote(volume.node)} > {number}.log 2>&1; echo $? > {number}.status"
            for number, (volume, _, command) in enumerate(looked)
        )
    )
    findings: list[Finding] = []
    for number, (volume, mount, _) in enumerate(looked):
        status = int(found.get(f"/{number}.status", b"255"))
        log = found.get(f"/{number}.log", b"").decode(errors="replace")
        findings += judged(volume.type, f"{volume.device} ({mount.mountpoint})", status, log, hint)
    return tuple(findings)


def judged(kind: str, what: str, status: int, log: str, hint: str) -> Iterator[Finding]:
    """Yield a blocker if a check found damage, or a warning if it could not be done."""
    bad = _CHECKS[kind].damaged
    said = [_QUESTION.sub("", line) for line in log.splitlines() if not _CHATTER.match(line)]
    # The statuses of e2fsck are bits; 4 is damage, and from 8 on it could not do its work.
    damaged = bool(status & bad) if kind.startswith("ext") and status < 8 else status == bad
    damaged = damaged and not any(_UNKNOWN.search(line) for line in said)
    if damaged and not (said and all(_TOLERATED.search(line) for line in said)):
        first = said[0] if said else "it is marked as having errors"
        yield Finding("E-FILESYSTEM", f"the {kind} file system on {what} is damaged: {first}", hint)
    elif not damaged and status != 0:
        said = said or log.strip().splitlines() or ["no message"]
        yield Finding("W-FILESYSTEM", f"{what} could not be checked: {said[0]}",
                      "let the guest check it before it is shut down")  # fmt: skip


def hibernated(session: Session, volumes: Volumes, swap_files: Iterable[str]) -> Iterator[Finding]:
    """Yield a blocker for each swap area that holds a hibernated guest's memory.

    What that guest has in its memory is newer than its file systems. Files are read as mounted.
    """
    places = [volume.device for volume in volumes if volume.type == HIBERNATED]
    for path in swap_files:
        try:
            page = session.read(path, _PAGE)
        except FileNotFoundError:
            continue
        if _SUSPENDED.match(page, _MARK_AT):
            places.append(path)
    for place in places:
        yield Finding(
            "E-GUEST-HIBERNATED",
            f"the guest is hibernated: its memory is in {place}, and its file systems lack what"
            " was not written yet",
            "start it on its old host and shut it down",
        )


def space(session: Session, mounts: Iterable[Mount]) -> Iterator[Finding]:
    """Yield a blocker for each file system of the system's without room for a conversion.

    The figures are those of the virt-v2v manual: 50 MB for a /boot of its own, 100 MB for the root,
    10 MB for others, and 100 inodes. Data that is mounted elsewhere may fill its file system.
    """
    for mount in mounts:
        if not mount.system:
            continue
        where = f"{mount.mountpoint} in the guest"
        need = {"/": 100, "/boot": 50}.get(mount.mountpoint, 10) * _MIB
        free, inodes = session.space(mount.mountpoint)
        if free < need:
            yield Finding("E-GUEST-SPACE", f"{where}: {iec(free)} are free, {iec(need)} are needed",
                          "free some space in the guest before it is shut down")  # fmt: skip
        if inodes is not None and inodes < MIN_FREE_INODES:
            yield Finding(
                "E-GUEST-SPACE",
                f"{where}: {inodes} inodes are free, {MIN_FREE_INODES} are needed",
                "remove some files in the guest before it is shut down",
            )
