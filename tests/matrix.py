# SPDX-License-Identifier: LGPL-2.1-or-later
"""Converts every real guest there is, boots each result, and writes the table of successes.

    python -m tests.matrix [--out docs/matrix.md]

What was found is kept for each guest and each state of the product, so that a run which was ended
goes on where it was, and a run with nothing new takes no time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import v2v
from fixtures.build import RECIPES, guest, path

ROOT = Path(__file__).parent.parent
CONFIGURATIONS = (".cfg", ".vmx", ".xml")
_HEAD = """\
# Success matrix

Written by `make matrix`: each guest was built, converted and put to the boot proof.

| guest | system | changes | warnings | converted in | boots | evidence |
|---|---|---|---|---|---|---|
"""


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


def row(name: str) -> str:
    """Convert a guest, boot the result, and return its line of the table."""
    with tempfile.TemporaryDirectory(prefix="v2v-matrix-", dir="/var/tmp") as folder:
        target = Path(folder)
        try:
            report = v2v.convert(configuration(guest(name)), v2v.Options(storage=target))
        except v2v.V2VError as error:
            return f"| {name} | - | - | - | - | **not converted** | {error.finding.code}: {error} |"
        (definition,) = target.glob("*.xml")
        evidence = v2v.verify(definition, timeout=600)
    assert report.guest is not None
    assert report.plan is not None
    warnings = ", ".join(sorted({finding.code for finding in report.warnings})) or "none"
    last = evidence.signs[-1].text if evidence.cause is None else evidence.cause.said
    seconds = sum(report.timing.values())
    boots = "yes" if evidence.booted else "**no**"
    return (
        f"| {name} | {report.guest.product} | {len(report.plan.changes)} | {warnings} "
        f"| {seconds:.0f} s | {boots} ({evidence.level}) | {last} |"
    )


def main() -> int:
    """Fill the table; the exit status tells whether every guest boots."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/matrix.md")
    options = parser.parse_args()
    key = product_key()
    rows = []
    for name in sorted(RECIPES):
        kept = path(name).parent / ".matrix" / f"{path(name).name}-{key}.json"
        if not kept.exists():
            line = row(name)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(line))
        rows.append(json.loads(kept.read_text()))
        print(rows[-1], flush=True)
    options.out.write_text(_HEAD + "".join(f"{line}\n" for line in rows))
    return 1 if any("**" in line for line in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
