# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain XML to QEMU's command line: fixtures/proof/NAME.argv, rewritten by --regenerate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Golden
from tests.v2v.proof.making import MINIMAL, placed
from v2v.errors import ProofError
from v2v.proof.domain import read
from v2v.proof.hardware import Hardware
from v2v.proof.qemu import command_line
from v2v.proof.setting import Setting

FIXTURES = Path(__file__).parents[3] / "fixtures"
EMITTED = ("esx-app", "old-ide-on-pc", "scsi", "secure-boot", "virtio-0.9-on-q35", "xen-web")
DOMAINS = (
    *(FIXTURES / "domains" / f"{name}.xml" for name in EMITTED),
    *sorted((FIXTURES / "proof").glob("*.xml")),
)
FOLDER = Path("/proof")


def setting(hardware: Hardware, *, kvm: bool = True) -> Setting:
    overlays = tuple(
        FOLDER / f"drive{at}.qcow2" if drive.path else None
        for at, drive in enumerate(hardware.drives)
    )
    if hardware.uefi is None:
        return Setting(FOLDER, kvm, overlays)
    return Setting(FOLDER, kvm, overlays, Path("/firmware/code.fd"), FOLDER / "variables.fd")


def lines(argv: tuple[str, ...]) -> str:
    """One option with its value a line."""
    return " ".join(argv).replace(" -", "\n-") + "\n"


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda path: path.stem)
def test_a_domain_becomes_a_command_line(domain: Path, tmp_path: Path, golden: Golden) -> None:
    hardware = read(placed(domain.read_text(encoding="utf-8"), tmp_path))
    argv = lines(command_line(hardware, setting(hardware)))
    golden(FIXTURES / "proof" / f"{domain.stem}.argv", argv.replace(f"{tmp_path}/", "/given/"))


def test_every_expected_command_line_has_its_domain() -> None:
    expected = {path.stem for path in (FIXTURES / "proof").glob("*.argv")}
    assert expected == {path.stem for path in DOMAINS}


def argv_of(xml: str, folder: Path, *, kvm: bool = True) -> str:
    hardware = read(placed(xml, folder))
    return lines(command_line(hardware, setting(hardware, kvm=kvm)))


def test_a_comma_in_a_value_starts_no_new_option(tmp_path: Path) -> None:
    xml = MINIMAL.replace("<name>web", "<name>web,debug-threads=on")
    assert "-name guest=web,,debug-threads=on\n" in argv_of(xml, tmp_path)


def test_without_kvm_the_host_cpu_becomes_all_that_tcg_has_but_slow_paging(tmp_path: Path) -> None:
    xml = MINIMAL.replace("<os>", '<cpu mode="host-passthrough"/><os>')
    assert "-cpu host\n" in argv_of(xml, tmp_path)
    argv = argv_of(xml, tmp_path, kvm=False)
    assert "-accel tcg\n-cpu max,la57=off\n" in argv


def test_no_network_leads_out_and_none_is_booted_from(tmp_path: Path) -> None:
    cards = '<interface type="bridge"/>' * 2
    argv = argv_of(MINIMAL.replace("<devices>", f"<devices>{cards}"), tmp_path)
    assert argv.count("-netdev user,") == argv.count("restrict=on") == argv.count("romfile=,") == 2
    assert "bootindex=1" in argv  # the disk's, and no other
    assert argv.count("bootindex") == 1


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ('<interface type="user"><model type="xen-net"/></interface>', "model: 'xen-net' cannot"),
        ('<video><model type="gop"/></video>', "video: model: 'gop' cannot"),
        ('<controller type="scsi" model="buslogic"/>', "scsi controller: model: 'buslogic'"),
    ],
)
def test_a_model_that_qemu_has_not_is_an_error(device: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ProofError, match=message):
        argv_of(MINIMAL.replace("<devices>", f"<devices>{device}"), tmp_path)


def test_a_topology_that_does_not_multiply_to_the_vcpus_is_left_out(tmp_path: Path) -> None:
    topology = '<cpu mode="host-model"><topology sockets="2" cores="2" threads="1"/></cpu>'
    hardware = read(placed(MINIMAL.replace("<os>", f"<vcpu>4</vcpu>{topology}<os>"), tmp_path))
    assert "-smp 4,sockets=2,cores=2,threads=1\n" in lines(
        command_line(hardware, setting(hardware))
    )
    other = replace(hardware, vcpus=3)
    assert "-smp 3\n" in lines(command_line(other, setting(other)))
