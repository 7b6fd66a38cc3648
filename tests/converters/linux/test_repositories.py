# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from converters.linux.repositories import disable_vendor_repositories
from tests.converters.linux.drafting import case, described, draft

GUEST = "kvm-ready-debian12"
YUM = "/etc/yum.repos.d/vmware.repo"
VENDOR = "baseurl=https://packages.vmware.com/tools/esx/6.0/rhel6\n"
OWN = "[own]\nbaseurl=https://repo.example.com/\nenabled=1\n"


@pytest.mark.parametrize("path", [YUM, "/etc/zypp/repos.d/vmware.repo"])
@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (f"[vmware]\n{VENDOR}enabled = 1\n", f"[vmware]\n{VENDOR}enabled=0\n"),
        (f"[vmware]\n{VENDOR}", f"[vmware]\nenabled=0\n{VENDOR}"),
        ("[other]\nbaseurl=https://notvmware.com/\n", "[other]\nbaseurl=https://notvmware.com/\n"),
        ("[other]\nbaseurl=http://a.b/vmware.com/\n", "[other]\nbaseurl=http://a.b/vmware.com/\n"),
    ],
)
def test_a_section_on_vmwares_host_is_off(path: str, section: str, expected: str) -> None:
    drafted, _ = draft(disable_vendor_repositories, case(GUEST, {path: f"{OWN}{section}{OWN}"}))
    assert drafted.text(path) == f"{OWN}{expected}{OWN}"


def test_apts_lines_and_paragraphs_on_vmwares_host_are_off() -> None:
    lines = (
        "deb http://packages.vmware.com/tools/esx/6.0/ubuntu trusty main\ndeb http://d.org x y\n"
    )
    paragraphs = (
        "Types: deb\nURIs: http://d.org\n\nTypes: deb\nURIs: https://packages.vmware.com/\n"
    )
    folder = "/etc/apt/sources.list.d"
    content = {f"{folder}/v.list": lines, f"{folder}/v.sources": paragraphs}
    drafted, _ = draft(disable_vendor_repositories, case(GUEST, content))
    assert drafted.text(f"{folder}/v.list") == f"#{lines}"
    assert drafted.text(f"{folder}/v.sources") == (
        "Types: deb\nURIs: http://d.org\n\n"
        "Enabled: no\nTypes: deb\nURIs: https://packages.vmware.com/\n"
    )


def test_photon_keeps_the_repositories_that_it_lives_on() -> None:
    guest = case(GUEST, {YUM: f"[photon]\n{VENDOR}enabled=1\n"})
    photon = replace(guest, guest=replace(guest.guest, distro="photon"))
    assert described(draft(disable_vendor_repositories, photon)[0]) == []
