# SPDX-License-Identifier: LGPL-2.1-or-later
"""vCenter over real TLS, by govmomi's simulator: what is listed, found, read and refused."""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.vcenter import PASSWORD, Vcenter, vcenter
from v2v.access import Access
from v2v.datastore import Login
from v2v.disks.opening import open_image
from v2v.disks.qemu_img import first_bytes
from v2v.errors import SourceError
from v2v.hosts import https_file
from v2v.hosts.https_file import HttpsFile, url_of
from v2v.hosts.vsphere import logged_in
from v2v.listing import to_csv, to_plan
from v2v.model import Bus, Machine
from v2v.sources import listed, read

DISK = os.urandom(3 << 20)
DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=fffffffe
parentCID={parent}
createType="vmfs"
{hint}
# Extent description
RW {sectors} VMFS "disk1-flat.vmdk"

ddb.adapterType = "lsilogic"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vcenter]:
    with vcenter(tmp_path_factory.mktemp("vcenter")) as found:
        folder = found.datastores["LocalDS_0"] / "DC0_H0_VM0"
        (folder / "disk1-flat.vmdk").write_bytes(DISK)
        text = DESCRIPTOR.format(parent="ffffffff", hint="", sectors=len(DISK) // 512)
        (folder / "disk1.vmdk").write_text(text)
        yield found


def access(server: Vcenter) -> Access:
    return Access(cacert=server.certificate, password_file=server.password)


def guest(server: Vcenter, name: str) -> Machine:
    return read([f"vpx://root@{server.authority}/{name}"], access=access(server))


def refused(server: Vcenter, name: str, how: Access | None = None) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read([f"vpx://root@{server.authority}/{name}"], access=how or access(server))
    return caught.value


def test_a_guest_is_found_by_name_path_uuid_and_reference(server: Vcenter) -> None:
    found = guest(server, "DC0_H0_VM0")
    assert (found.name, found.vcpus, found.running) == ("DC0_H0_VM0", 1, True)
    assert [(disk.path, disk.controller) for disk in found.disks] == [
        ("[LocalDS_0] DC0_H0_VM0/disk1.vmdk", Bus.scsi)
    ]
    assert [nic.network.name for nic in found.nics] == ["DC0_DVPG0"]
    store = found.disks[0].datastore
    assert store is not None
    with logged_in(store.login) as session:
        every = session.inventory().items()
    (moref,) = (each._moId for each, has in every if has.get("name") == "DC0_H0_VM0")
    ways = ("DC0/vm/DC0_H0_VM0", "DC0/DC0_H0/DC0_H0_VM0", f"uuid:{found.uuid}")
    for way in (*ways, f"moref:{moref}"):
        assert guest(server, way) == found, way


def test_a_guest_that_is_not_there_is_refused_with_those_that_are(server: Vcenter) -> None:
    error = refused(server, "DC1/DC0_H0_VM0")
    assert error.finding.code == "E-HOST-GUEST"
    assert "DC0/vm/DC0_H0_VM0" in (error.finding.hint or "")


def test_a_certificate_of_nobodys_is_refused(server: Vcenter) -> None:
    error = refused(server, "DC0_H0_VM0", Access(password_file=server.password))
    assert error.finding.code == "E-CERTIFICATE"


def test_a_thumbprint_stands_for_the_certificate(server: Vcenter) -> None:
    der = ssl.PEM_cert_to_DER_cert(server.certificate.read_text())
    mark = hashlib.sha256(der).hexdigest()
    how = Access(password_file=server.password, thumbprint=mark)
    assert read([f"vpx://root@{server.authority}/DC0_H0_VM0"], access=how).vcpus == 1
    other = replace(how, thumbprint="00" * 32)
    assert refused(server, "DC0_H0_VM0", other).finding.code == "E-CERTIFICATE"


def test_a_wrong_password_is_refused(server: Vcenter, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong")
    error = refused(server, "DC0_H0_VM0", replace(access(server), password_file=wrong))
    assert error.finding.code == "E-VSPHERE-LOGIN"


def test_all_guests_are_listed_by_their_place(server: Vcenter) -> None:
    address = f"vpx://root@{server.authority}"
    found, findings = listed(address, access(server))
    assert (len(found), findings) == (4, ())
    assert found[2].path == "DC0/vm/DC0_H0_VM0"
    assert f'source: "{address}/DC0/vm/DC0_H0_VM0"' in to_plan(found, address)
    assert "DC0/vm/DC0_H0_VM0," in to_csv(found, address)
    assert len(listed(f"{address}/DC0/DC0_H0", access(server))[0]) == 2


def test_a_disk_is_read_over_https_as_it_is(server: Vcenter, tmp_path: Path) -> None:
    (disk,) = guest(server, "DC0_H0_VM0").disks
    copy = tmp_path / "copy"
    with open_image(disk, tmp_path, trust=False) as image:
        seen = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
        servers = [words for words in seen if words.startswith(b"nbdkit")]
        assert servers
        assert not any(PASSWORD.encode() in words for words in servers)
        subprocess.run(["nbdcopy", f"nbd+unix:///?socket={image.path}", copy], check=True)
    assert copy.read_bytes() == DISK


def test_a_file_is_read_in_pieces_by_whoever_may(server: Vcenter) -> None:
    host, _, port = server.authority.partition(":")
    login = Login(host, int(port), "root", PASSWORD, server.certificate)
    url = url_of("[LocalDS_0] DC0_H0_VM0/disk1-flat.vmdk", "DC0")
    with closing(HttpsFile(login, url)) as file:
        assert file.pread(1000, len(DISK) - 100) == DISK[-100:]
        assert file.pread(512, 4096) == DISK[4096:4608]
        server.fails("folder", "401", 1)  # the session has expired
        assert file.pread(512, 8192) == DISK[8192:8704]
    with pytest.raises(SourceError, match="may not read"):
        HttpsFile(replace(login, password="wrong"), url)
    with pytest.raises(SourceError, match="no such file"):
        HttpsFile(login, url_of("[LocalDS_0] none/none.vmdk", "DC0"))


def test_names_go_into_an_url_as_the_host_writes_them() -> None:
    assert url_of("[a b%2fc] d e/f.vmdk", "DC") == (
        "/folder/d%20e/f.vmdk?dcPath=DC&dsName=a%2520b%252Fc"
    )
    for path in ("d/f.vmdk", "[ds]", "[ds] ../f.vmdk"):
        with pytest.raises(ValueError, match="vmdk" if "vmdk" in path else "ds"):
            url_of(path, "DC")


def test_a_host_that_is_busy_for_a_while_is_asked_again(server: Vcenter, tmp_path: Path) -> None:
    server.fails("sdk", "503", 2)
    machine = guest(server, "DC0_H0_VM0")
    server.fails("folder", "503", 2)
    with open_image(machine.disks[0], tmp_path, trust=False) as image:
        # A connection that is cut, a login that has expired: while the guest's disk is read.
        server.fails("folder", "cut", 2)
        server.fails("folder", "401", 1)
        server.fails("folder", "503", 1)
        assert first_bytes(image, len(DISK)) == DISK


def test_a_host_that_stays_busy_is_not_waited_for_without_end(
    server: Vcenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https_file, "_PAUSE", 0.0)
    host, _, port = server.authority.partition(":")
    login = Login(host, int(port), "root", PASSWORD, server.certificate)
    server.fails("folder", "503", 1000)
    with pytest.raises(SourceError, match="answers 503") as caught:
        HttpsFile(login, url_of("[LocalDS_0] DC0_H0_VM0/disk1-flat.vmdk", "DC0"))
    server.fails("folder", "503", 0)
    assert caught.value.finding.code == "E-DISK-REMOTE"
