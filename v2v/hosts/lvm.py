# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of logical volumes on the source's host, for as long as a copy takes (lvcreate(8))."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from v2v.cancellation import unheeding
from v2v.errors import CommandError
from v2v.hosts.ssh import Connection

_MIB = 1 << 20
_LEAST = 256 * _MIB  # for what a guest writes while it is copied
_SHARE = 10  # one part in so many of the volume, where the group has as much
_FACTS = (
    "lvs --noheadings --nosuffix --units b --separator : -o vg_name,lv_name,pool_lv,lv_size,vg_free"
)


@contextmanager
def snapshot(host: Connection, device: str, tag: str) -> Iterator[str | None]:
    """Take a snapshot of a volume and remove it after the block; yield its device.

    Yield None where that cannot be: it is no logical volume, or its group has no room. ``tag`` goes
    into the snapshot's name. Raises CommandError if one cannot be made or removed.
    """
    try:
        said = host.run(f'{_FACTS} "$1"', device)
    except CommandError:
        yield None
        return
    group, volume, pool, size, free = said.strip().split(":")
    wanted = min(max(int(size) // _SHARE, _LEAST), int(free)) // _MIB
    if not pool and wanted * _MIB < _LEAST:
        yield None
        return
    name = f"v2v-{tag}-{volume}"
    room = () if pool else ("--size", f"{wanted}m")  # a thin one takes its room from the pool
    # Thin snapshots are not activated by themselves.
    words = (*room, "--name", name, f"{group}/{volume}")
    with unheeding():
        host.run('lvcreate --snapshot --setactivationskip n "$@"', *words)
    try:
        yield f"/dev/{group}/{name}"
    finally:
        with unheeding():
            host.run('lvremove --force "$1"', f"{group}/{name}")
