# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sizes for people; in the code they are bytes."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def iec(count: int) -> str:
    """Return a number of bytes in IEC units: 1536 is 1.5 KiB."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
