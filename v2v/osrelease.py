# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which distribution a Linux guest is: os-release(5), and what older systems had in its place.

os-release came in 2012. Before it each distribution had a file of its own with one line for
people, such as "CentOS release 6.10 (Final)". Some still have the minor version only there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from v2v.files import Files

_ASSIGNMENT = re.compile(r"^\s*(?P<key>[A-Z0-9_]+)=(?P<value>[^\n]*?)\s*$", re.MULTILINE)
_NUMBER = re.compile(r"\d+(\.\d+)*")
# The file's own distribution, for lines that begin with a trade name that says less. The order
# matters: clones keep a redhat-release for the sake of programs that look for it.
_RELEASE_FILES = (
    ("/etc/openmandriva-release", "openmandriva"),
    ("/etc/opencloudos-release", "opencloudos"),
    ("/etc/tencentos-release", "tencentos"),
    ("/etc/oracle-release", "ol"),
    ("/etc/enterprise-release", "ol"),
    ("/etc/almalinux-release", "almalinux"),
    ("/etc/centos-release", "centos"),
    ("/etc/circle-release", "circle"),
    ("/etc/rocky-release", "rocky"),
    ("/etc/neokylin-release", "neokylin"),
    ("/etc/kylin-release", "kylin"),
    ("/etc/altlinux-release", "altlinux"),
    ("/etc/mageia-release", "mageia"),
    ("/etc/mandriva-release", "mandriva"),
    ("/etc/mandrake-release", "mandrake"),
    ("/etc/fedora-release", "fedora"),
    ("/etc/redhat-release", ""),
    ("/etc/system-release", "amzn"),
    ("/etc/photon-release", "photon"),
    ("/etc/alpine-release", "alpine"),
    ("/etc/arch-release", "arch"),
    ("/etc/gentoo-release", "gentoo"),
    ("/etc/slackware-version", "slackware"),
    ("/etc/devuan_version", "devuan"),
    ("/etc/debian_version", "debian"),
)
_REDHAT_NAMES = (
    ("red hat enterprise", "rhel"),
    ("red hat linux", "rhl"),
    ("centos", "centos"),
    ("fedora", "fedora"),
    ("scientific", "scientific"),
    ("cloudlinux", "cloudlinux"),
    ("virtuozzo", "virtuozzo"),
    ("asianux", "asianux"),
)
_SUSE_NAMES = (("opensuse", "opensuse"), ("desktop", "sled"), ("", "sles"))


@dataclass(frozen=True, slots=True)
class Release:
    """A distribution and its version, in the words of os-release(5)."""

    id: str
    version: str
    product: str
    like: tuple[str, ...] = ()  # ID_LIKE: the distributions that it is made from


def read_release(files: Files) -> Release | None:
    """Return what the guest says it is, None if no file tells."""
    found = _os_release(files) or _lsb_release(files) or _suse_release(files)
    return found or _release_file(files)


def _os_release(files: Files) -> Release | None:
    text = _text(files, "/etc/os-release") or _text(files, "/usr/lib/os-release")
    said = _assignments(text)
    if not said.get("ID"):
        return None
    name, version = said["ID"].lower(), _plain(said.get("VERSION_ID", ""))
    product = said.get("PRETTY_NAME") or f"{said.get('NAME', name)} {version}".strip()
    like = tuple(said.get("ID_LIKE", "").lower().split())
    return Release(name, _with_minor(files, name, version), product, like)


def _plain(version: str) -> str:
    """Return the numbers of a version: Kylin has V10, NeoKylin V7Update6."""
    match = re.match(r"[Vv](\d[\d.]*)(?:Update(\d+))?", version)
    return ".".join(part for part in match.groups() if part) if match else version


def _with_minor(files: Files, name: str, version: str) -> str:
    """Return a version with what the distribution's own file adds to the major number.

    CentOS 7 is 7 in os-release and 7.9 in centos-release; Debian 12 is 12.5 in debian_version.
    """
    if not version.isdigit():
        return version
    for path in (f"/etc/{name}-release", f"/etc/{name}_version"):
        match = re.search(rf"\b{version}\.\d+", _first_line(files, path))
        if match:
            return match[0]
    return version


def _lsb_release(files: Files) -> Release | None:
    said = _assignments(_text(files, "/etc/lsb-release"))
    name, version = said.get("DISTRIB_ID", ""), said.get("DISTRIB_RELEASE", "")
    if not name:
        return None  # Red Hat's has nothing but LSB_VERSION
    return Release(
        re.sub(r"[^a-z0-9]+", "", name.lower()),
        version,
        said.get("DISTRIB_DESCRIPTION") or f"{name} {version}",
    )


def _suse_release(files: Files) -> Release | None:
    text = _text(files, "/etc/SuSE-release")
    if not text:
        return None
    product = text.splitlines()[0].strip()
    said = {
        key.strip(): value.strip()
        for key, equals, value in (line.partition("=") for line in text.splitlines())
        if equals
    }
    name = next(name for words, name in _SUSE_NAMES if words in product.lower())
    version, patch = said.get("VERSION", ""), said.get("PATCHLEVEL", "0")
    return Release(name, version if patch == "0" else f"{version}.{patch}", product, ("suse",))


def _release_file(files: Files) -> Release | None:
    for path, name in _RELEASE_FILES:
        try:
            line = files.read(path).decode(errors="replace").strip().partition("\n")[0]
        except FileNotFoundError:
            continue
        name = name or next(
            (known for words, known in _REDHAT_NAMES if line.lower().startswith(words)),
            (line.lower().split() or ["unknown"])[0],
        )
        number = _NUMBER.search(_plain(line))
        version = number[0] if number else ""
        product = line if re.search("[A-Za-z]", line) else f"{name} {line}".strip()
        like = ("rhel",) if path == "/etc/redhat-release" else ()
        if path == "/etc/debian_version":
            product = f"Debian GNU/Linux {line}"
        return Release(name, version, product, like)
    return None


def _text(files: Files, path: str) -> str:
    try:
        return files.read(path).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _first_line(files: Files, path: str) -> str:
    return _text(files, path).partition("\n")[0]


def _assignments(text: str) -> dict[str, str]:
    return {match["key"]: _unquoted(match["value"]) for match in _ASSIGNMENT.finditer(text)}


def _unquoted(value: str) -> str:
    """Undo the shell quoting that os-release(5) allows for a value."""
    if value[:1] in ('"', "'") and value[-1:] == value[:1]:
        value = value[1:-1]
    return re.sub(r"\\(.)", r"\1", value)
