# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain XMLs for tests, with files for the images that they name."""

from __future__ import annotations

import re
from pathlib import Path

MINIMAL = """\
<domain type="kvm">
  <name>web</name>
  <memory unit="MiB">512</memory>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <devices>
    <disk type="file"><source file="web.raw"/><target dev="vda"/></disk>
  </devices>
</domain>
"""


def placed(xml: str, folder: Path) -> Path:
    """Write a domain XML into a folder, and an empty file for each that it names in /srv/kvm/."""
    xml = xml.replace("/srv/kvm/", "")
    named = re.findall(r'<source (?:file|dev)="([^"]+)"', xml)
    named += re.findall(r"<(?:kernel|initrd|loader[^>]*)>([^<]+)<", xml)
    named += re.findall(r'template="([^"]+)"', xml)
    for name in named:
        if not name.startswith("/") and "absent" not in name:
            (folder / name).touch()
    path = folder / "domain.xml"
    path.write_text(xml, encoding="utf-8")
    return path
