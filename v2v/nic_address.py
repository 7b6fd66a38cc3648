# SPDX-License-Identifier: LGPL-2.1-or-later
"""An address of a network card."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NicAddress:
    """An address that the user wants inside the guest, as --mac MAC:ip: says it."""

    address: str
    prefix: int
    gateway: str | None = None
    name_servers: tuple[str, ...] = ()
