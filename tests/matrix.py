# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds every real guest there is, converts each, boots each result, and writes a table of it.

    python -m tests.matrix [NAME ...] [--out docs/matrix.md]

Two guests are worked on at a time. What was found is kept for each guest and each state of the
product: a run that was ended goes on where it was, and a run with nothing new takes no time. Guests
that are named are tried again.

`compare` has the installed virt-v2v convert the same guests, for the same boot proof.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from fixtures.build import AT_ONCE, RECIPES, bootable, guest, path
from fixtures.programs import BuildError
from tests import reference, support

ROOT = Path(__file__).parent.parent
V2V = str(Path(sys.executable).with_name("v2v"))
CONFIGURATIONS = (".cfg", ".vmx", ".xml", ".xva", ".ova", ".vbox", ".pvm")
BOOT_SECONDS = 600
# Guests once more, by another way to the same end: each is a guest's name and options of convert.
VARIANTS = ("xen-direct --keep-direct-boot", "xen-tools --firmware efi")
_HEAD = """\
# Success matrix

Written by `make matrix`: each guest was built, converted and put to the boot proof, two at a time
on a machine of two CPUs. `convert` and `boot` are wall seconds; `login` and the like are how far
the boot proof saw the guest come (`v2v verify`).

| guest | what it is | changes | warnings | convert | boot | evidence |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one guest."""

    name: str
    booted: bool
    convert_seconds: int
    said: str  # the last sign of life, or why there is none
    changes: int = 0
    warnings: tuple[str, ...] = ()
    boot_seconds: int = 0
    level: str = ""
    distro: str = ""
    version: str = ""

    def line(self) -> str:
        """The guest's line of the table."""
        said = self.said.replace("|", "\\|")
        done = (
            f"{self.boot_seconds} s | {'' if self.booted else '**does not boot:** '}{self.level}"
            if self.level
            else "- | **not converted**"
        )
        return (
            f"| {self.name} | {RECIPES[self.name.split()[0]].says} | {self.changes or '-'} "
            f"| {', '.join(self.warnings) or '-'} | {self.convert_seconds} s | {done}: {said} |"
        )


def product_key() -> str:
    """Return a hash of the product's sources."""
    sources = sorted(
        source for top in ("v2v", "converters", "drivers") for source in (ROOT / top).rglob("*.py")
    )
    return hashlib.sha256(b"\0".join(map(Path.read_bytes, sources))).hexdigest()[:12]


def configuration(folder: Path) -> Path:
    """Return the one configuration in a guest's folder."""
    (found,) = (file for file in folder.iterdir() if file.suffix in CONFIGURATIONS)
    return found


def result(name: str) -> Result:
    """Convert a guest and boot the result, each by the program that users have.

    ``name`` may have options behind it.
    """
    recipe, *options = name.split()
    try:
        source = configuration(guest(recipe))
    except BuildError as error:
        return Result(name, False, 0, f"cannot be built: {str(error).splitlines()[-1]}")
    with tempfile.TemporaryDirectory(prefix="v2v-matrix-", dir="/var/tmp") as folder:
        begun = time.monotonic()
        options += RECIPES[recipe].options
        made = _v2v("convert", "-q", str(source), "-os", folder, *options)
        seconds = round(time.monotonic() - begun)
        if made.returncode != 0:
            errors = [line for line in made.stderr.splitlines() if "error:" in line]
            return Result(name, False, seconds, "; ".join(errors) or made.stderr[-300:])
        (definition,) = Path(folder).glob("*.xml")
        report = json.loads(definition.with_suffix(".report.json").read_text())
        plan = report["plan"]
        evidence = _evidence(definition)
    return Result(
        name,
        evidence["booted"],
        seconds,
        _said(evidence),
        len(plan["changes"]),
        tuple(sorted({warning["code"] for warning in plan["warnings"]})),
        round(evidence["seconds"]),
        evidence["level"],
        report["guest"]["distro"],
        report["guest"]["version"],
    )


def by_reference(name: str) -> Result:
    """Convert a guest by virt-v2v and put the result to the same boot proof."""
    with tempfile.TemporaryDirectory(prefix="v2v-matrix-", dir="/var/tmp") as folder:
        words = reference.source(configuration(guest(name)), Path(folder))
        out = Path(folder, "out")
        out.mkdir()
        begun = time.monotonic()
        log = Path(folder, "log")
        with log.open("w") as said:  # no pipe: the servers that it may leave behind would hold it
            made = subprocess.run(
                ("virt-v2v", *words, *RECIPES[name].options, "-o", "local", "-of", "qcow2",
                 "-os", out),
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False,
                env=reference.environment(),
            )  # fmt: skip
        seconds = round(time.monotonic() - begun)
        if made.returncode != 0:
            lines = log.read_text(errors="replace").splitlines()
            errors = [line for line in lines if "error:" in line] or lines[-1:]
            return Result(name, False, seconds, "; ".join(errors))
        (definition,) = out.glob("*.xml")
        evidence = _evidence(definition)
    return Result(
        name,
        evidence["booted"],
        seconds,
        _said(evidence),
        boot_seconds=round(evidence["seconds"]),
        level=evidence["level"],
    )


def _evidence(definition: Path) -> dict[str, Any]:
    proof = _v2v(
        "verify", "-q", str(definition), "--timeout", str(BOOT_SECONDS), "--format", "json"
    )
    if not proof.stdout:
        return {"booted": False, "level": "nothing", "seconds": 0, "cause": {"said": proof.stderr}}
    return cast("dict[str, Any]", json.loads(proof.stdout))


def _said(evidence: dict[str, Any]) -> str:
    """Return the sign of life that decided, or why there is none."""
    if not evidence["booted"]:
        return str(evidence["cause"]["said"])
    signs = [sign["text"] for sign in evidence["signs"] if sign["level"] == evidence["level"]]
    return str(signs[-1])


def _v2v(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((V2V, *words), capture_output=True, text=True, check=False)


def kept(
    name: str, again: Iterable[str], key: str, find: Callable[[str], Result] = result
) -> Result:
    """Return what is known of a guest; what is not known, or asked for again, is found out."""
    recipe, *options = name.split()
    folder = path(recipe)
    file = folder.parent / ".matrix" / f"{folder.name}{''.join(options)}-{key}.json"
    if name in again or not file.exists():
        found = find(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(found)))
        print(found.line(), flush=True)
    known = json.loads(file.read_text())
    return Result(**known | {"warnings": tuple(known["warnings"])})


def compare() -> int:
    """Print what boots of all guests, by virt-v2v and by v2v; fails unless v2v is ahead."""
    version = reference.version()
    names = sorted(bootable())
    with ThreadPoolExecutor(AT_ONCE) as workers:
        theirs = list(workers.map(lambda name: kept(name, (), version, by_reference), names))
        ours = list(workers.map(lambda name: kept(name, (), product_key()), names))
    for reference_found, found in zip(theirs, ours, strict=True):
        outcome = "boots" if reference_found.booted else f"DOES NOT BOOT ({reference_found.said})"
        print(
            f"{found.name:13} v2v: {'boots' if found.booted else found.said}; {version}: {outcome}"
        )
    rates = [sum(result.booted for result in side) for side in (ours, theirs)]
    print(f"boot rate: v2v {rates[0]} of {len(names)}, {version} {rates[1]} of {len(names)}")
    return 0 if rates[0] > rates[1] else 1


def main() -> int:
    """Fill the table; the exit status tells whether every guest boots."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=main.__doc__)
    parser.add_argument("again", nargs="*", metavar="NAME", help="guests to try again")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/matrix.md")
    options = parser.parse_args()
    key = product_key()
    with ThreadPoolExecutor(AT_ONCE) as workers:
        names = sorted((*bootable(), *VARIANTS))
        results = list(workers.map(lambda name: kept(name, options.again, key), names))
    boot = sum(found.booted for found in results)
    total = f"\n{boot} of {len(results)} guests boot.\n"
    options.out.write_text(_HEAD + "".join(f"{found.line()}\n" for found in results) + total)
    started = support.booted((f.name, f.distro, f.version) for f in results if f.booted)
    support.PAGE.write_text(support.page(started))
    print(total.strip())
    return 0 if boot == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
