# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares what v2v and the installed virt-v2v make of the same look-alike Windows guests.

    python -m tests.windows_differences [NAME ...] [--out docs/windows-differences.md]

Each guest is converted by both, with the same drivers. Then each file, each registry value and what
matters of the domain are compared, and each difference is explained: by tests.windows_rules, or it
is missing and the exit status is 1. What virt-v2v made is kept beside the built guests, as is what
this state of v2v made; guests that are named are converted again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from fixtures import windows
from fixtures.build import guest, path
from fixtures.virtio_win import write_folder
from tests import reference
from tests.matrix import ROOT, V2V, configuration, product_key
from tests.windows_rules import RULES, Rule, Side
from v2v.hive import Hive

NAMES = ("winxp-esx", "win7-esx", "win7-xen", "win11-esx", "win2k22-esx")
HIVES = ("system", "software", "bcd")
Snapshot = Mapping[
    str, str
]  # files, values of the registry and traits of the domain: what is there


@dataclass(frozen=True, slots=True)
class Difference:
    """A thing that one of the two changed, or both."""

    name: str
    side: Side
    reason: str | None  # None: missing
    source: str | None
    theirs: str | None
    ours: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that the two changed in one guest."""

    same: tuple[str, ...]
    different: tuple[Difference, ...]

    @property
    def missing(self) -> tuple[Difference, ...]:
        return tuple(each for each in self.different if each.reason is None)


def compare(
    source: Snapshot, theirs: Snapshot, ours: Snapshot, rules: Sequence[Rule]
) -> Comparison:
    """Return what both changed alike, and what differs with the rule that explains it.

    Windows does not tell upper from lower case in names.
    """
    spelled = {name.casefold(): name for side in (source, theirs, ours) for name in side}
    before, reference_made, made = (
        {name.casefold(): what for name, what in side.items()} for side in (source, theirs, ours)
    )
    same, different = [], []
    for name in sorted(spelled):
        old, other, own = (side.get(name) for side in (before, reference_made, made))
        if own == other:
            same += [spelled[name]] if own != old else []
            continue
        side = Side.ours if other == old else Side.theirs if own == old else Side.both
        reason = next((rule.reason for rule in rules if rule.explains(side, name)), None)
        different.append(Difference(spelled[name], side, reason, old, other, own))
    return Comparison(tuple(same), tuple(different))


def idle(comparisons: Iterable[Comparison], rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return the rules that explain nothing in any of the comparisons."""
    found = [(each.side, each.name.casefold()) for made in comparisons for each in made.different]
    return tuple(
        rule for rule in rules if not any(rule.explains(side, name) for side, name in found)
    )


def snapshot(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return a guest's files by their hashes, and its hives value by value."""
    found: dict[str, str] = {}
    for name, data in files.items():
        hive = name.rpartition("/")[2]
        if hive.lower() in HIVES:
            found |= _values(Hive(data, name), hive.upper())
        else:
            found[name] = hashlib.sha256(data).hexdigest()[:12]
    return found


def _values(hive: Hive, top: str, key: str = "") -> dict[str, str]:
    found = {f"{top}{key}\\{name}": str(value) for name, value in hive.values(key).items()}
    for child in hive.keys(key):
        found |= _values(hive, top, rf"{key}\{child}")
    return found


def traits(definition: Path) -> dict[str, str]:
    """Return what matters of a domain."""
    domain = etree.parse(str(definition)).getroot()

    def all_of(expression: str) -> str:
        found = domain.xpath(expression)
        assert isinstance(found, list)
        return " ".join(sorted({str(each) for each in found}))

    return {
        "domain machine": all_of("os/type/@machine")[:3].rstrip("-"),
        "domain disks": all_of("devices/disk[@device='disk']/target/@bus"),
        "domain network cards": all_of("devices/interface/model/@type"),
        "domain devices": " ".join(
            kind
            for kind in ("rng", "memballoon", "panic", "channel", "tpm")
            if domain.xpath(f"devices/{kind}[not(@model='none')]")
        ),
        "domain clock": all_of("clock/@offset"),
        "domain enlightenments": " ".join(
            sorted(each.tag for each in domain.iterfind("features/hyperv/*"))
        ),
        "domain CPU": all_of("cpu/@mode"),
    }


def of_source(name: str) -> dict[str, str]:
    """Return what a look-alike has before its conversion."""
    return snapshot({**windows.content(name), **_prefixed(windows.boot_content(name))})


def _prefixed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Set the partition that firmware starts from apart from C:."""
    return {f"/boot partition{name}": data for name, data in files.items()}


def of_disk(name: str, disk: Path) -> dict[str, str]:
    """Return what is on a converted disk."""
    release = windows.look_alike(name).release
    old = release.nt < (6, 0)
    system = "/dev/sda1" if old else "/dev/sda3" if release.efi else "/dev/sda2"
    found = _files(disk, system)
    return snapshot(found if old else found | _prefixed(_files(disk, "/dev/sda1")))


def _files(disk: Path, device: str) -> dict[str, bytes]:
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        commands = f"run\nmount-ro {device} /\ntar-out / {archive.name}\n"
        subprocess.run(
            ("guestfish", "--ro", "--format=qcow2", "-a", disk),
            input=commands, text=True, check=True, env=reference.environment(),
        )  # fmt: skip
        return dict(_members(Path(archive.name)))


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as members:
        for member in members:
            content = members.extractfile(member) if member.isfile() else None
            name = f"/{member.name.removeprefix('./')}"
            # NTFS's own, which any writing changes.
            if content is not None and not name.startswith(("/$", "/System Volume Information")):
                yield name, content.read()


def theirs(name: str, medium: Path, folder: Path) -> Snapshot:
    """Return what virt-v2v makes; its first boot wants programs that nobody here has."""
    tools, out = folder / "tools", folder / "out"
    tools.mkdir()
    out.mkdir()
    for program in ("rhsrvany.exe", "pnp_wait.exe"):
        (tools / program).write_bytes(b"MZ")
    words = reference.source(configuration(guest(name)), folder)
    if windows.look_alike(name).release.nt < (6, 0):  # its reader of VMX takes no IDE disk
        words = ("-i", "disk", str(guest(name) / f"{name}.vmdk"))
    environment = reference.environment() | {
        "VIRTIO_WIN": str(medium), "VIRT_TOOLS_DATA_DIR": str(tools),
    }  # fmt: skip
    _run(("virt-v2v", *words, "-o", "local", "-of", "qcow2", "-os", str(out)), environment)
    (definition,) = out.glob("*.xml")
    (disk,) = out.glob("*-sda")
    return {**of_disk(name, disk), **traits(definition)}


def ours(name: str, medium: Path, folder: Path) -> Snapshot:
    """Return what v2v makes."""
    words = ("convert", "-q", str(configuration(guest(name))), "-os", str(folder))
    _run((V2V, *words, "--virtio-win", str(medium)), reference.environment())
    (definition,) = folder.glob("*.xml")
    return {**of_disk(name, folder / f"{name}-sda.qcow2"), **traits(definition)}


def _run(words: Sequence[str], environment: Mapping[str, str]) -> None:
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(words, stdout=log, stderr=log, check=False, env=environment)
        if done.returncode != 0:
            log.seek(0)
            sys.exit(f"{words[0]} failed\n{log.read()[-2000:]}")


def kept(name: str, again: Iterable[str], by: str, medium: Path) -> Snapshot:
    """Return what one of the two made of a guest, as it is kept or made now."""
    version = product_key() if by == "v2v" else reference.version()
    file = path(name).parent / ".windows" / f"{path(name).name}-{by}-{version}.json"
    if name in again or not file.exists():
        with tempfile.TemporaryDirectory(prefix="v2v-windows-", dir="/var/tmp") as folder:
            made = (ours if by == "v2v" else theirs)(name, medium, Path(folder))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(made))
    return dict(json.loads(file.read_text()))


def page(comparisons: Mapping[str, Comparison], version: str) -> str:
    """Return the page with all differences, those of one kind in one line."""
    lines = [
        "# Windows guests: v2v beside virt-v2v\n",
        f"Written by `make windows`: the same look-alikes and drivers, converted by {version}",
        "and by v2v; each file, each registry value and what matters of the domain compared.\n",
    ]
    for name, made in comparisons.items():
        lines += [
            f"## {name}\n",
            f"{len(made.same)} changes are the same, {len(made.different)} differ, "
            f"{len(made.missing)} are missing.\n",
            "| by | things | for example | better, because |",
            "|---|---|---|---|",
        ]
        counts = Counter((each.side, each.reason or "**missing**") for each in made.different)
        for (side, reason), count in counts.items():
            first = next(
                each.name
                for each in made.different
                if (each.side, each.reason or "**missing**") == (side, reason)
            )
            lines.append(f"| {side} | {count} | `{first}` | {reason} |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Compare the guests; the exit status tells whether every difference is explained."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.windows_differences", description=main.__doc__
    )
    parser.add_argument("again", nargs="*", metavar="NAME", help="guests to convert again")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/windows-differences.md")
    options = parser.parse_args()
    comparisons = {}
    with tempfile.TemporaryDirectory() as folder:
        medium = write_folder(Path(folder, "virtio-win"))
        for name in NAMES:
            sides = [kept(name, options.again, by, medium) for by in ("virt-v2v", "v2v")]
            comparisons[name] = compare(of_source(name), sides[0], sides[1], RULES)
            made = comparisons[name]
            print(
                f"{name}: {len(made.same)} same, {len(made.different) - len(made.missing)} better, "
                f"{len(made.missing)} missing",
                flush=True,
            )
            for each in made.missing:
                print(f"  {each.side} {each.name}: {each.source} | {each.theirs} | {each.ours}")
    options.out.write_text(page(comparisons, reference.version()))
    unused = idle(comparisons.values(), RULES)
    for rule in unused:
        print(f"this rule explains nothing: {rule.side} {rule.pattern.pattern}")
    return 1 if unused or any(made.missing for made in comparisons.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
