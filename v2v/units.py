# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sizes and times for people; in the code they are bytes and seconds."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def iec(count: int) -> str:
    """Return a number of bytes in IEC units: 1536 is 1.5 KiB."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def lasting(seconds: float) -> str:
    """Return a time: 47 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
