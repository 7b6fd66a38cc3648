# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mounts boot partitions that /etc/fstab does not name.

systemd mounts them by their types alone, systemd-gpt-auto-generator(8).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from v2v.errors import GuestError
from v2v.guest.layout import ESP, XBOOTLDR, partitions
from v2v.guest.session import Session

log = logging.getLogger(__name__)

_PLACES = {XBOOTLDR: ("/boot",), ESP: ("/efi", "/boot/efi", "/boot")}  # in the order of mounting


def mount_unlisted(
    session: Session, heads: Mapping[str, bytes], mounted: Mapping[str, str]
) -> dict[str, str]:
    """Mount each kind of boot partition that is not mounted, where there is an empty folder for it.

    ``mounted`` maps mount points to devices, and so does what is returned.
    """
    found: dict[str, str] = {}
    for kind, places in _PLACES.items():
        devices = [
            f"{disk}{number}"
            for disk, head in heads.items()
            for number, its in partitions(head).items()
            if its == kind
        ]
        if not devices or set(devices) & {*mounted.values(), *found.values()}:
            continue
        place = _free(session, places, {*mounted, *found})
        if place is None:
            continue
        try:
            session.mount(devices[0], place)
        except GuestError as error:
            log.debug("%s", error)
        else:
            found[place] = devices[0]
    return found


def _free(session: Session, places: tuple[str, ...], taken: set[str]) -> str | None:
    """Return the first of the places that is an empty folder."""
    for place in places:
        try:
            names = session.names(place)
        except FileNotFoundError:
            continue
        if place not in taken and not names:
            return place
    return None
