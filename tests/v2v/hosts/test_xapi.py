# SPDX-License-Identifier: LGPL-2.1-or-later
"""XenServer's API over real TLS: what is listed, exported and refused."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fixtures.xva import MIB, VM, blocks, guest, ova_xml, pack
from tests.xapi_server import Xapi, xapi
from v2v.access import Access, parse_access
from v2v.disks.image_writer import written
from v2v.errors import ConfigError, SourceError
from v2v.sources import described, listed, read, streamed

DISK = os.urandom(MIB + 512)
UUID = "11111111-0000-4000-8000-{:012}"
WEB = {
    **VM,
    "name_label": "web",
    "power_state": "Halted",
    "uuid": UUID.format(1),
}
BUSY = {
    **VM,
    "name_label": "busy",
    "power_state": "Running",
    "uuid": UUID.format(2),
}
SNAPSHOT = {**WEB, "is_a_snapshot": True, "uuid": UUID.format(3)}
TWIN = {**WEB, "name_label": "twin", "uuid": UUID.format(4)}
OTHER = {**TWIN, "uuid": UUID.format(5)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Xapi]:
    folder = tmp_path_factory.mktemp("xapi")
    machines: dict[str, Mapping[str, object]] = {f"OpaqueRef:{number}": each
                for number, each in enumerate((WEB, BUSY, SNAPSHOT, TWIN, OTHER))}  # fmt: skip
    objects: dict[str, dict[str, Mapping[str, object]]] = {
        "VM": machines,
        "VBD": {"OpaqueRef:b": {"VM": "OpaqueRef:0", "VDI": "OpaqueRef:d", "type": "Disk",
                                "userdevice": "0", "device": "xvda", "empty": False}},
        "VDI": {"OpaqueRef:d": {"virtual_size": str(len(DISK)), "name_label": "root"}},
    }  # fmt: skip
    with xapi(folder, objects) as found:
        members = [("ova.xml", ova_xml(guest({"name_label": "web"}, [("Ref:1", len(DISK))])))]
        archive = pack(folder / "web.xva", [*members, *blocks("Ref:1", DISK, "xxhash")])
        found.exports[UUID.format(1)] = archive
        yield found


@pytest.fixture
def access(server: Xapi) -> Access:
    server.failure.clear()
    return Access(cacert=server.certificate, password_file=server.password)


def test_guests_are_listed_without_snapshots(server: Xapi, access: Access) -> None:
    found, findings = listed(server.address, access)
    assert findings == ()
    names = [(each.machine.name, each.state) for each in found]
    assert names == [("web", "shut off"), ("busy", "running"), ("twin", "shut off"),
                     ("twin", "shut off")]  # fmt: skip
    (disk,) = found[0].machine.disks
    assert (disk.device, disk.virtual_bytes) == ("xvda", len(DISK))
    assert server.calls[-1] == "session.logout"


@pytest.mark.parametrize("name", ["web", UUID.format(1)])
def test_a_guest_is_exported_as_it_comes(
    server: Xapi, access: Access, tmp_path: Path, name: str
) -> None:
    image = tmp_path / "image.qcow2"
    with streamed([f"{server.address}/{name}"], None, access) as stream:
        assert stream is not None
        machine = described(stream)
        with written(image, len(DISK)) as write:
            stream.unpack({"Ref:1": (len(DISK), write)})
    assert machine.name == "web"
    assert image.stat().st_size > len(DISK)
    assert server.calls[-1] == "session.logout"


@pytest.mark.parametrize(
    ("name", "code"), [("busy", "E-RUNNING"), ("absent", "E-HOST-GUEST"), ("twin", "E-HOST-GUEST")]
)
def test_guests_that_cannot_be_exported_are_told(
    server: Xapi, access: Access, name: str, code: str
) -> None:
    with pytest.raises(SourceError) as failed, streamed([f"{server.address}/{name}"], None, access):
        pass
    assert failed.value.finding.code == code
    assert server.calls[-1] == "session.logout"


def refused(server: Xapi, access: Access) -> SourceError:
    with pytest.raises(SourceError) as failed:
        listed(server.address, access)
    return failed.value


def test_an_unknown_certificate_is_refused(server: Xapi, access: Access) -> None:
    error = refused(server, Access(password_file=access.password_file))
    assert error.finding.code == "E-CERTIFICATE"


def test_a_thumbprint_stands_for_a_certificate(server: Xapi, access: Access) -> None:
    der = ssl.PEM_cert_to_DER_cert(server.certificate.read_text())
    thumbprint = hashlib.sha256(der).hexdigest()
    found, _ = listed(server.address, parse_access([f"thumbprint={thumbprint}"], server.password))
    assert len(found) == 4
    other = parse_access([f"thumbprint={'0' * 64}"], server.password)
    assert refused(server, other).finding.code == "E-CERTIFICATE"


def test_a_wrong_password_is_told_and_not_repeated(
    server: Xapi, access: Access, tmp_path: Path
) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("hunter2")
    error = refused(server, Access(cacert=access.cacert, password_file=wrong))
    assert error.finding.code == "E-XAPI-LOGIN"
    assert "hunter2" not in str(error)


def test_a_slave_names_its_master(server: Xapi, access: Access) -> None:
    server.failure += ["HOST_IS_SLAVE", "10.0.0.9"]
    error = refused(server, access)
    assert "10.0.0.9" in (error.finding.hint or "")


def test_other_failures_are_told_in_the_words_of_the_host(server: Xapi, access: Access) -> None:
    server.failure += ["INTERNAL_ERROR", "out of beans"]
    assert "out of beans" in str(refused(server, access))


def test_a_host_that_does_not_answer_is_told(access: Access) -> None:
    with pytest.raises(SourceError) as failed:
        listed("xapi://127.0.0.1:1", access)
    assert failed.value.finding.code == "E-XAPI"


@pytest.mark.parametrize("option", ["thumbprint=12", "cacert=", "verify=no", "ssh-config"])
def test_options_that_there_are_not(option: str) -> None:
    with pytest.raises(ConfigError):
        parse_access([option], None)


def test_a_file_without_a_password_is_told(server: Xapi, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as failed:
        listed(server.address, Access(server.certificate, password_file=tmp_path / "none"))
    assert failed.value.finding.code == "E-PASSWORD"


def test_a_guest_of_xapi_is_no_file() -> None:
    with pytest.raises(ConfigError):
        read(["xapi://host"])
