# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of Xen as xend shows and keeps them: ``xm list -l``, /var/lib/xend/domains/*/config.sxp.

They are S-expressions, xen/util/sxp.py of Xen 3. What they say is told in xl's words, and read as
an xl.cfg is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Never, TypeAlias

from v2v.errors import SourceError
from v2v.model import Machine
from v2v.sources import config_file, xl
from v2v.sources.identity import only_guest
from v2v.sources.xl_syntax import Config, Setting, Value

name = "sxp"
about = "what xm list -l prints, a Xen guest"

Node: TypeAlias = "str | tuple[Node, ...]"

_DOMAIN = re.compile(r"(?:\s|#.*\n)*\(\s*(?:domain|vm)\s")
_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
      | (?P<open>\() | (?P<close>\))
      | '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)"
      | (?P<word>[^\s()'"]+)""",
    re.VERBOSE | re.DOTALL,
)
_MAX_DEPTH = 64
_TYPES = {"linux": "pv", "hvm": "hvm"}
# What is of the host, or of this run of the guest.
_RUNNING_WORDS = (
    "domid state status store_mfn console_mfn start_time cpu_time online_vcpus features notes "
    "shadow_memory on_xend_start on_xend_stop xend_restart_count security description "
    "PV_args PV_kernel PV_ramdisk version backend loader cpu_cap"
)
_RUNNING = frozenset(_RUNNING_WORDS.split())


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is a domain as xend writes it."""
    return b"\0" not in head and _DOMAIN.match(config_file.decode(head)) is not None


def read(paths: Sequence[Path], system: str | None = None) -> Machine:
    """Return the guest of one file, by name where there are several. Raises SourceError."""
    (path,) = paths
    return parse(config_file.decode(config_file.content(path)), path, system)


def parse(text: str, path: Path, system: str | None = None) -> Machine:
    """Return the guest that a text describes; ``path`` says where it lies. Raises SourceError."""
    domains = [node for node in nodes(text, str(path)) if _kind(node) in ("domain", "vm")]
    named = [(_text(domain, "name") or "", domain) for domain in domains]
    domain = only_guest(named, str(path), system)
    return xl.machine(_config(domain, str(path)), path, name)


def nodes(text: str, where: str) -> tuple[Node, ...]:
    """Return the expressions of a text. Raises SourceError."""
    stack: list[list[Node]] = [[]]
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            _refuse(text, at, where, "a string has no end")
        if found["open"]:
            if len(stack) > _MAX_DEPTH:
                _refuse(text, at, where, "lists are nested too deeply")
            stack.append([])
        elif found["close"]:
            if len(stack) == 1:
                _refuse(text, at, where, "a list ends that has not begun")
            done = tuple(stack.pop())
            stack[-1].append(done)
        elif found.lastgroup in ("single", "double"):
            stack[-1].append(re.sub(r"\\(.)", r"\1", found[found.lastgroup], flags=re.DOTALL))
        elif found["word"]:
            stack[-1].append(found["word"])
        at = found.end()
    if len(stack) > 1:
        _refuse(text, at, where, "a list has no end")
    return tuple(stack[0])


def _refuse(text: str, at: int, where: str, what: str) -> Never:
    line = text.count("\n", 0, at) + 1
    raise SourceError("E-SXP-SYNTAX", f"{where}: line {line}: {what}")


def _kind(node: Node) -> str:
    return node[0] if isinstance(node, tuple) and node and isinstance(node[0], str) else ""


def _children(node: Node, kind: str) -> Iterator[tuple[Node, ...]]:
    for child in node[1:] if isinstance(node, tuple) else ():
        if isinstance(child, tuple) and _kind(child) == kind:
            yield child


def _text(node: Node, kind: str) -> str | None:
    """Return the one word of a child, None where it is absent or empty."""
    for child in _children(node, kind):
        if len(child) > 1 and isinstance(child[1], str):
            return child[1]
    return None


def _config(domain: Node, where: str) -> Config:
    settings: dict[str, Value] = {}
    devices = tuple(_children(domain, "device"))
    image = next((child[1] for child in _children(domain, "image") if len(child) > 1), ())
    for child in domain[1:] if isinstance(domain, tuple) else ():
        key = _kind(child)
        if key in ("device", "image") or key in _RUNNING:
            continue
        settings[key] = _value(child)
    settings["type"] = _TYPES.get(_kind(image), _kind(image) or "pv")
    for child in image[1:] if isinstance(image, tuple) else ():
        key = _kind(child)
        if key == "args":
            settings["cmdline"] = _value(child)
        elif key not in _RUNNING:
            settings[key] = _value(child)
    settings["disk"] = tuple(_disks(devices))
    settings["vif"] = tuple(_pairs(vif) for device in devices for vif in _children(device, "vif"))
    screens = tuple(_pairs(vfb) for device in devices for vfb in _children(device, "vfb"))
    if screens:
        settings["vfb"] = screens
    known = {"vbd", "tap", "tap2", "vif", "vfb", "vkbd", "console"}
    for other in sorted({_kind(device[1]) for device in devices if len(device) > 1} - known):
        settings[f"device {other}"] = ""
    return Config(where, {key: Setting(value, 1) for key, value in settings.items()}, ())


def _value(node: Node) -> Value:
    """Return what follows a key: a word, or nothing; lists are the host's own."""
    words = [word for word in node[1:] if isinstance(word, str)]
    return words[0] if words else ""


def _disks(devices: Sequence[tuple[Node, ...]]) -> Iterator[str]:
    """Yield disks as xend's configurations have them: PREFIX:TARGET,VDEV[:KIND],MODE."""
    for device in devices:
        for kind in ("vbd", "tap", "tap2"):
            for disk in _children(device, kind):
                uname, dev, mode = (_text(disk, key) or "" for key in ("uname", "dev", "mode"))
                yield f"{uname},{dev},{mode or 'w'}"


def _pairs(device: tuple[Node, ...]) -> str:
    """Return a device's words as KEY=VALUE,..."""
    pairs = ((_kind(child), _value(child)) for child in device[1:] if isinstance(child, tuple))
    return ",".join(f"{key}={value}" for key, value in pairs if isinstance(value, str) and value)
