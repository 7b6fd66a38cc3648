# SPDX-License-Identifier: LGPL-2.1-or-later
"""Moves logins from Xen's console to the serial console that the KVM domain has.

systemd starts a getty on each console that the kernel is told to use (systemd-getty-generator(8));
older inits must be told.
"""

from __future__ import annotations

import posixpath
import re

from converters.linux import inits
from converters.linux.conversion import Conversion
from v2v.changes import Draft

_WHY = "logins go to the serial console, the one that the domain has on KVM"
_WANTS = "/etc/systemd/system/getty.target.wants"
_CITRIX = ("xe-linux-distribution", "xe-daemon")
_XEN_TTY = re.compile(r"\b[hx]vc0\b")
_SERIAL_GETTY = re.compile(r"^[^#\s][^\n]*\bttyS0\b", re.MULTILINE)
# The example that Debian, SUSE, Gentoo and Alpine have in their inittab.
_EXAMPLE = re.compile(r"^#[ \t]*(?P<line>\w{1,5}:\d*:respawn:[^\n]*\bttyS0\b[^\n]*)", re.MULTILINE)
_SCREEN = re.compile(r"^1:(?P<levels>\d+):respawn:[^\n]*getty[^\n]*\n", re.MULTILINE)
# What Citrix's tools do to the gettys of the screens, which a PV guest does not have.
_HIDDEN = re.compile(r"^#(?P<line>[1-6]:\d+:respawn:[^\n]*getty\b[^\n]*)", re.MULTILINE)


def move_inittab(draft: Draft, conversion: Conversion) -> None:
    """Have exactly one getty on ttyS0 in /etc/inittab, inittab(5), for guests with sysvinit."""
    path = "/etc/inittab"
    if not draft.is_file(path):
        return
    old = draft.text(path)
    serial = _SERIAL_GETTY.search(old) is not None
    lines = []
    for line in old.splitlines(keepends=True):
        new = line
        if not line.startswith("#") and _XEN_TTY.search(line):
            if serial:
                continue  # a second getty on ttyS0 would steal half of what is typed
            new = _XEN_TTY.sub("ttyS0", line)
            serial = True
        lines.append(new)
    text = "".join(lines)
    if not serial and not conversion.systemd:
        text = _serial_getty(draft, text)
    draft.write(path, text, why=_WHY)


def _serial_getty(draft: Draft, text: str) -> str:
    """Return an inittab with its example in force, or with a line beside the first screen's.

    The screen's own program may be mingetty, which no serial line can have.
    """
    found = _EXAMPLE.sub(r"\g<line>", text, count=1)
    screen = _SCREEN.search(text)
    if found != text or screen is None or not draft.exists("/sbin/agetty"):
        return found
    line = f"S0:{screen['levels']}:respawn:/sbin/agetty ttyS0 115200 vt100\n"
    return f"{text[: screen.end()]}{line}{text[screen.end() :]}"


def restore_screens(draft: Draft, conversion: Conversion) -> None:
    """Start the gettys of the screens again, which Citrix's tools have put behind comment signs."""
    path = "/etc/inittab"
    if draft.is_file(path) and any(inits.known(draft, name) for name in _CITRIX):
        text = draft.text(path)
        if not _SCREEN.search(text):
            text = _HIDDEN.sub(r"\g<line>", text)
        draft.write(path, text, why="the guest has a screen again, which it had not on Xen")


def move_runit_gettys(draft: Draft, conversion: Conversion) -> None:
    """Start a getty on ttyS0 where runit runs the services, as Void has them: runsvdir(8)."""
    service = "/etc/sv/agetty-ttyS0"
    for runlevel in draft.glob("/etc/runit/runsvdir/default"):
        for name in ("agetty-hvc0", "agetty-xvc0"):
            draft.remove(f"{runlevel}/{name}", why=_WHY)
        if draft.exists(service):
            draft.link(f"{runlevel}/agetty-ttyS0", service, why=_WHY)


def allow_root_login(draft: Draft, conversion: Conversion) -> None:
    """Let root log in on ttyS0 where it could on Xen's console, securetty(5)."""
    path = "/etc/securetty"
    if not draft.is_file(path):
        return
    text = draft.text(path)
    named = {line.strip() for line in text.splitlines()}
    if "ttyS0" not in named and named & {"hvc0", "xvc0"}:
        text = _XEN_TTY.sub("ttyS0", text, count=1)
        draft.write(path, text, why="root may log in on the serial console as it could on Xen's")


def move_systemd_gettys(draft: Draft, conversion: Conversion) -> None:
    """Replace an enabled getty on Xen's console; its unit would wait for a device at each boot."""
    for unit in ("serial-getty@hvc0.service", "getty@hvc0.service", "serial-getty@xvc0.service",
                 "getty@xvc0.service"):  # fmt: skip
        path = posixpath.join(_WANTS, unit)
        found = draft.stat(path)
        if found is None or not found.is_link:
            continue
        target = posixpath.dirname(draft.readlink(path))
        draft.remove(path, why=_WHY)
        draft.link(
            posixpath.join(_WANTS, "serial-getty@ttyS0.service"),
            posixpath.join(target, "serial-getty@.service"),
            why=_WHY,
        )


def move_upstart_gettys(draft: Draft, conversion: Conversion) -> None:
    """Start a getty on ttyS0 instead of hvc0 with upstart, init(5); Ubuntu had it up to 14.10.

    A guest that had none gets one like that of its first screen: it cannot be seen otherwise.
    """
    serial, screen = "/etc/init/ttyS0.conf", "/etc/init/tty1.conf"
    if conversion.systemd or draft.exists(serial):
        return
    for path in ("/etc/init/hvc0.conf", "/etc/init/xvc0.conf"):
        if draft.is_file(path):
            draft.write(serial, _XEN_TTY.sub("ttyS0", draft.text(path)), why=_WHY)
            draft.remove(path, why=_WHY)
            return
    if draft.is_file(screen):
        text = re.sub(r"\btty1\b", "ttyS0", draft.text(screen))
        draft.write(serial, text, why=_WHY)
