# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which packages are installed, read from the guest's own database; no program of it is run."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum, auto
from functools import cached_property

from converters.linux import rpmdb
from v2v.changes import Draft
from v2v.files import realpath

_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_FIELD = re.compile(r"^(Package|Status|Version): *(.*?) *$", re.MULTILINE)
_APK_FIELD = re.compile(r"^([PV]):(.*)$", re.MULTILINE)
_GONE = frozenset({"not-installed", "config-files"})  # the third word of Status, dpkg-query(1)
_PORTAGE = re.compile(r"(?P<name>.+?)-(?P<version>\d[^-]*(-r\d+)?)")
_PKGVER = re.compile(r"<key>pkgver</key>\s*<string>(.+)-([^-<]+)</string>")
# Each form of the rpm database, the newest first, as an old one may be left beside it.
_RPM = tuple(
    f"{folder}/{name}"
    for folder in ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
    for name in ("rpmdb.sqlite", "Packages.db", "Packages")
)


class Database(StrEnum):
    """Who keeps the list of packages."""

    dpkg = auto()
    rpm = auto()
    apk = auto()
    pacman = auto()
    portage = auto()
    xbps = auto()


_PLACES: Mapping[Database, tuple[str, ...]] = {
    Database.dpkg: ("/var/lib/dpkg/status", "/var/lib/dpkg/status.d/*"),
    Database.rpm: _RPM,
    Database.apk: ("/lib/apk/db/installed", "/usr/lib/apk/db/installed"),
    Database.pacman: ("/var/lib/pacman/local/*",),
    Database.portage: ("/var/db/pkg/*",),
    Database.xbps: ("/var/db/xbps/pkgdb-*.plist",),
}


class Packages(Mapping[str, str]):
    """The installed packages and their versions: a mapping that is read when it is first used.

    An rpm database can have a hundred megabytes, which take seconds to fetch from an emulated
    appliance; which database there is costs next to nothing. What cannot be read is warned of,
    and counts as empty.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    @cached_property
    def database(self) -> Database | None:
        """Who keeps the list; the first that has one, as people install a second one as a tool."""
        return next((kind for kind in Database if self._files(kind)), None)

    def __getitem__(self, name: str) -> str:
        return self._installed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._installed)

    def __len__(self) -> int:
        return len(self._installed)

    def _files(self, kind: Database) -> tuple[str, ...]:
        """Return where a database is; an empty file is none."""
        found = (path for place in _PLACES[kind] for path in self._draft.glob(place))
        sizes = ((path, self._draft.stat(realpath(self._draft, path))) for path in found)
        return tuple(path for path, stat in sizes if stat and (stat.is_dir or stat.size))

    @cached_property
    def _installed(self) -> Mapping[str, str]:
        if self.database is None:
            return {}
        files = self._files(self.database)
        try:
            return _READERS[self.database](self._draft, files)
        except rpmdb.RpmdbError as error:
            self._draft.warn(
                "W-PACKAGES",
                f"{files[0]}: the package database cannot be read: {error}",
                hint="tools of the old hypervisor may stay installed; run rpmdb --rebuilddb in the "
                "guest and convert again",
            )
            return {}


def _dpkg(draft: Draft, paths: tuple[str, ...]) -> dict[str, str]:
    """Read status, or the files of status.d, which have one package each and no Status."""
    found = {}
    for path in paths:
        for paragraph in _PARAGRAPHS.split(draft.read(path).decode(errors="replace")):
            fields = dict(_FIELD.findall(paragraph))
            state = fields.get("Status", "install ok installed").split()
            if len(state) == 3 and state[2] not in _GONE and "Package" in fields:
                found[fields["Package"]] = fields.get("Version", "")
    return found


def _rpm(draft: Draft, paths: tuple[str, ...]) -> dict[str, str]:
    try:
        wal = draft.read(f"{paths[0]}-wal")
    except FileNotFoundError:
        wal = b""
    return rpmdb.packages(draft.read(paths[0]), wal)


def _apk(draft: Draft, paths: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for path in paths:
        for paragraph in _PARAGRAPHS.split(draft.read(path).decode(errors="replace")):
            fields = dict(_APK_FIELD.findall(paragraph))
            if "P" in fields:
                found[fields["P"]] = fields.get("V", "")
    return found


def _pacman(draft: Draft, paths: tuple[str, ...]) -> dict[str, str]:
    """Take the names of folders: NAME-VERSION-RELEASE."""
    parts = (posixpath.basename(path).rsplit("-", 2) for path in paths)
    return {part[0]: "-".join(part[1:]) for part in parts if len(part) == 3}


def _portage(draft: Draft, paths: tuple[str, ...]) -> dict[str, str]:
    """Take the names of folders, CATEGORY/NAME-VERSION-rREVISION (PMS 3.2); keep the category."""
    found = {}
    for path in paths:
        for name in draft.listdir(path):
            if match := _PORTAGE.fullmatch(name):
                found[f"{posixpath.basename(path)}/{match['name']}"] = match["version"]
    return found


def _xbps(draft: Draft, paths: tuple[str, ...]) -> dict[str, str]:
    """Read NAME-VERSION_REVISION off the property list that has a dictionary for each package."""
    return dict(_PKGVER.findall(draft.read(paths[-1]).decode(errors="replace")))


_READERS: Mapping[Database, Callable[[Draft, tuple[str, ...]], dict[str, str]]] = {
    Database.dpkg: _dpkg,
    Database.rpm: _rpm,
    Database.apk: _apk,
    Database.pacman: _pacman,
    Database.portage: _portage,
    Database.xbps: _xbps,
}
