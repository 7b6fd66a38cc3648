# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.inf import Inf, Target
from v2v.windows_guest import Windows

TEXT = """\
[Version] ; comment
Class = "Net"
ClassGUID = {4D36E972-E325-11CE-BFC1-08002BE10318}
DriverVer = 01/02/2024, 1.2.3.4 ; not this
CatalogFile.NTamd64 = A64.cat
[Manufacturer]
%V% = Kvm, NTamd64.10.0...16299, NTx86.6.1, NTamd64.6.1.3, NTia64
[Kvm.NTamd64.10.0...16299]
"a; b" = Inst, PCI\\VEN_1AF4&DEV_1041, \\
    pci\\ven_1af4&dev_1000
[Kvm.NTx86.6.1]
%D% = Inst.old, PCI\\VEN_1AF4&DEV_1000
[Inst.NTamd64.Services]
AddService = helper, 0x00000000, None_Service
AddService = net, %SPSVCINST_ASSOCSERVICE%, Net_Service
[Net_Service]
StartType = 0x3
ServiceBinary = %12%\\NetKvm.sys
[Strings]
V = "Maker, with ""quotes"" in it"
D = Device
SPSVCINST_ASSOCSERVICE = 0x00000002
[Kvm.NTamd64.6.1.3]
%D% = Inst, PCI\\VEN_1AF4&DEV_1000
"""


def windows(nt: tuple[int, int], build: int, variant: str = "Client") -> Windows:
    return Windows("", "", "", "", nt, build, variant)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "ascii"])
def test_an_inf_says_what_it_installs_in_any_encoding(encoding: str) -> None:
    inf = Inf(TEXT.replace("\n", "\r\n").encode(encoding))
    assert inf.version == "1.2.3.4"
    assert inf.class_guid == "{4d36e972-e325-11ce-bfc1-08002be10318}"
    assert inf.catalogs == ("a64.cat",)
    first, old, server = inf.models()
    assert first.hardware_ids == (r"PCI\VEN_1AF4&DEV_1041", r"PCI\VEN_1AF4&DEV_1000")
    assert first.target == Target("x86_64", (10, 0), None, 16299)
    assert (old.install, old.target) == ("Inst.old", Target("i686", (6, 1)))
    assert server.target == Target("x86_64", (6, 1), 3)
    service = inf.service(first)
    assert service is not None
    assert (service.name, service.binary, service.start) == ("net", "netkvm.sys", 3)


@pytest.mark.parametrize(
    ("target", "guest", "fits"),
    [
        (Target("x86_64", (10, 0), None, 16299), windows((10, 0), 19045), True),
        (Target("x86_64", (10, 0), None, 16299), windows((10, 0), 14393), False),
        (Target("x86_64", (6, 1), None, 16299), windows((10, 0), 10240), True),
        (Target("x86_64", (10, 0)), windows((6, 3), 9600), False),
        (Target("x86_64", (6, 1), 3), windows((6, 1), 7601), False),
        (Target("x86_64", (6, 1), 3), windows((6, 1), 7601, "Server"), True),
        (Target("x86_64", (6, 1), 1), windows((6, 1), 7601, "Server"), False),
        (Target("i686", (6, 1)), windows((6, 1), 7601), False),
        (Target(None), windows((5, 1), 2600), True),
    ],
)
def test_a_decoration_names_what_it_is_for(target: Target, guest: Windows, fits: bool) -> None:
    assert target.fits(guest, "x86_64") is fits


@given(st.one_of(st.binary(), st.text().map(str.encode), st.text(
    alphabet='[]=,;%"\\\r\n .NTamd64Manufcrvios').map(str.encode)))  # fmt: skip
def test_nothing_that_a_file_holds_raises(data: bytes) -> None:
    inf = Inf(data)
    for model in inf.models():
        inf.service(model)
    assert isinstance(inf.files(), frozenset)
