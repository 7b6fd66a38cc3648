# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real guests, converted: the source is as it was, the result boots.

That they do not boot on virtio before is shown in test_proof.py.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import libvirt
import pytest

import v2v
from fixtures.build import guest
from v2v.networks import parse_network_map
from v2v.report import report_json

pytestmark = pytest.mark.guest


@dataclass(frozen=True, slots=True)
class Converted:
    """A guest that was reported on, then converted."""

    source: Path
    target: Path
    dry: v2v.Report
    real: v2v.Report
    untouched: bool  # every file of the source has the hash it had before


def hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _converted(source: Path, target: Path, options: v2v.Options) -> Converted:
    before = hashes(source.parent)
    dry = v2v.plan(source, options)
    assert list(target.iterdir()) == []
    assert hashes(source.parent) == before
    real = v2v.convert(source, options)
    return Converted(source, target, dry, real, hashes(source.parent) == before)


@pytest.fixture(scope="module")
def xen(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    target = tmp_path_factory.mktemp("xen")
    networks = parse_network_map(bridges=["xenbr0:br0"])
    options = v2v.Options(storage=target, networks=networks, guest_code=False)
    return _converted(guest("xen-web") / "xen-web.cfg", target, options)


@pytest.fixture(scope="module")
def esx(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    target = tmp_path_factory.mktemp("esx")
    return _converted(guest("esx-app") / "esx-app.vmx", target, v2v.Options(storage=target))


class ConversionContract:
    """What holds for each converted guest."""

    name: str
    disks: int
    default_interface: str

    def test_the_source_was_only_read(self, converted: Converted) -> None:
        assert converted.untouched

    def test_the_result_is_there_and_nothing_else(self, converted: Converted) -> None:
        images = [f"{self.name}-sd{letter}.qcow2" for letter in "abc"[: self.disks]]
        expected = sorted([*images, f"{self.name}.report.json", f"{self.name}.xml"])
        assert sorted(path.name for path in converted.target.iterdir()) == expected
        assert sorted(path.name for path in converted.real.written) == expected
        assert converted.real.written[0].name == f"{self.name}.xml"

    def test_the_dry_run_lists_the_changes_of_the_real_run(self, converted: Converted) -> None:
        dry, real = report_json(converted.dry), report_json(converted.real)
        for part in ("source", "guest", "plan", "blockers", "target"):
            assert dry[part] == real[part]
        assert dry["blockers"] == []
        assert converted.dry.plan is not None
        assert converted.dry.plan.changes

    def test_the_written_report_is_the_one_returned(self, converted: Converted) -> None:
        written = json.loads((converted.target / f"{self.name}.report.json").read_text())
        assert written == json.loads(converted.real.to_json())

    def test_planning_again_gives_no_changes(self, converted: Converted, tmp_path: Path) -> None:
        options = v2v.Options(storage=tmp_path)
        again = v2v.plan(converted.target / f"{self.name}.xml", options)
        assert again.blockers == ()
        assert again.plan is not None
        assert [change.describe() for change in again.plan.changes] == []

    def test_libvirt_takes_the_domain(self, converted: Converted) -> None:
        definition = converted.target / f"{self.name}.xml"
        subprocess.run(["virt-xml-validate", definition, "domain"], check=True)
        connection = libvirt.open("test:///default")
        try:
            connection.defineXMLFlags(
                definition.read_text(), libvirt.VIR_DOMAIN_DEFINE_VALIDATE
            ).undefine()
        finally:
            connection.close()

    def test_few_calls_were_made(self, converted: Converted) -> None:
        assert converted.real.appliance_calls <= 150

    def test_it_boots(self, converted: Converted) -> None:
        before = hashes(converted.target)
        evidence = v2v.verify(converted.target / f"{self.name}.xml", timeout=300)
        assert evidence.booted, evidence
        assert hashes(converted.target) == before
        # The NIC is up under its old name: dhclient asked for an address from its MAC.
        assert any("DHCP" in sign.text for sign in evidence.signs), evidence


@pytest.mark.xdist_group("xen")
class TestXenWeb(ConversionContract):
    name = "xen-web"
    disks = 2

    @pytest.fixture
    def converted(self, xen: Converted) -> Converted:
        return xen

    def test_the_bridge_was_mapped(self, xen: Converted) -> None:
        definition = (xen.target / "xen-web.xml").read_text()
        assert '<source bridge="br0"/>' in definition
        assert '<mac address="00:16:3e:5a:1e:01"/>' in definition


@pytest.mark.xdist_group("esx")
class TestEsxApp(ConversionContract):
    name = "esx-app"
    disks = 1

    @pytest.fixture
    def converted(self, esx: Converted) -> Converted:
        return esx
