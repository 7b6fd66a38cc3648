# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wrong inputs: each gets a clear error, the source stays as it was, the target folder empty.

All of these fail before an appliance is started; those that need one stand in tests/guests/.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from v2v.cli import main
from v2v.run import run

XL = """name = "web"
memory = 512
vcpus = 1
bootloader = "pygrub"
disk = [ '%s,raw,xvda,rw' ]
"""
VMX = """config.version = "8"
displayName = "app"
memSize = "512"
scsi0.present = "TRUE"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "%s"
"""
XML = """<domain type='xen'><name>web</name><memory>524288</memory><vcpu>1</vcpu>
<os><type>hvm</type></os><devices>%s</devices></domain>
"""
DISK_XML = (
    "<disk type='file'><driver name='qemu' type='%s'/><source file='disk.img'/>"
    "<target dev='sda' bus='scsi'/></disk>"
)


def xl(folder: Path, disk: str = "disk.img", text: str = XL) -> Path:
    (folder / "web.cfg").write_text(text % disk if "%s" in text else text)
    return folder / "web.cfg"


def vmx(folder: Path, disk: str = "disk.vmdk", text: str = VMX) -> Path:
    (folder / "app.vmx").write_text(text % disk if "%s" in text else text)
    return folder / "app.vmx"


def xml(folder: Path, devices: str) -> Path:
    (folder / "web.xml").write_text(XML % devices)
    return folder / "web.xml"


def raw(folder: Path, name: str = "disk.img", size: int = 1 << 20) -> Path:
    path = folder / name
    path.write_bytes(b"")
    os.truncate(path, size)
    return path


def xl_with_disk(folder: Path) -> Path:
    raw(folder)
    return xl(folder)


def truncated_vmdk(folder: Path) -> Path:
    run("qemu-img", "create", "-q", "-f", "vmdk", folder / "disk.vmdk", "64M")
    os.truncate(folder / "disk.vmdk", 1024)
    return vmx(folder)


def qcow2(folder: Path, *options: str, name: str = "disk.img") -> Path:
    run("qemu-img", "create", "-q", "-f", "qcow2", *options, folder / name, "1M")
    return folder / name


def qcow2_over_passwd(folder: Path) -> Path:
    run(
        *("qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw"),
        *(folder / "disk.img", "1M"),
    )
    return xml(folder, DISK_XML % "qcow2")


def vmdk_over_passwd(folder: Path) -> Path:
    (folder / "disk.vmdk").write_text(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        'createType="monolithicFlat"\n# Extent description\nRW 4 FLAT "/etc/passwd" 0\n'
    )
    return vmx(folder)


def encrypted(folder: Path) -> Path:
    run(
        *("qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=x"),
        *("-o", "encrypt.format=aes,encrypt.key-secret=s"),
        *(folder / "disk.img", "1M"),
    )
    return xml(folder, DISK_XML % "qcow2")


def unreadable(folder: Path) -> Path:
    (folder / "disk.img").symlink_to("disk.img")
    return xl(folder)


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "disk.img")
    return xl(folder)


def vmdk_as_vmx(folder: Path) -> Path:
    run("qemu-img", "create", "-q", "-f", "vmdk", folder / "app.vmx", "1M")
    return folder / "app.vmx"


def text_file(folder: Path, text: str, name: str = "source") -> Path:
    (folder / name).write_text(text)
    return folder / name


def with_entities(folder: Path) -> Path:
    return text_file(
        folder,
        "<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><domain type='xen'>"
        "<name>&e;</name></domain>",
    )


def named(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        raw(folder)
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
        return xl(folder, text=XL.replace('"web"', f'"{escaped}"') % "disk.img")

    return make


@dataclass(frozen=True, slots=True)
class Case:
    """A wrong input: what makes the source, the options, and what is said of it."""

    name: str
    make: Callable[[Path], Path]
    said: str
    options: tuple[str, ...] = ()
    status: int = 1


CASES = (
    Case("source_absent", lambda folder: folder / "none.cfg", "E-SOURCE"),
    Case("source_is_a_folder_without_an_ovf", lambda folder: folder, "E-OVA-OVF"),
    Case("source_empty", lambda folder: text_file(folder, ""), "the file is empty"),
    Case("source_of_no_kind", lambda folder: text_file(folder, "hello\n"), "E-SOURCE-UNKNOWN"),
    Case(
        "xl_with_python_code",
        lambda folder: xl(folder, text='import os\nname = os.getenv("HOME")\nmemory = 1\n'),
        "E-XL-SYNTAX",
        ("-i", "xl"),
    ),
    Case(
        "xl_with_a_call",
        lambda folder: xl(folder, text='name = open("/etc/passwd").read()\nmemory = 1\n'),
        "E-XL-SYNTAX",
        ("-i", "xl"),
    ),
    Case("xl_unclosed_string", lambda folder: xl(folder, text='name = "web\n'), "E-XL-SYNTAX",
         ("-i", "xl")),
    Case("xl_unclosed_list", lambda folder: xl(folder, text='name = "w"\ndisk = [ "a"\n'),
         "E-XL-SYNTAX", ("-i", "xl")),
    Case("disk_absent", xl, "E-DISK-MISSING"),
    Case("disk_is_a_fifo", fifo, "E-DISK-KIND"),
    Case("disk_unreadable", unreadable, "E-DISK-UNREADABLE"),
    Case(
        "disk_empty",
        lambda folder: (raw(folder, size=0), xl(folder))[1],
        "the image is empty",
    ),
    Case(
        "disk_of_another_format",
        lambda folder: (raw(folder), xml(folder, DISK_XML % "qcow2"))[1],
        "E-DISK-FORMAT",
    ),
    Case("no_disk_at_all", lambda folder: xl(folder, text=XL.split("disk")[0]), "E-NO-DISK"),
    Case("vmdk_truncated", truncated_vmdk, "E-DISK-TRUNCATED"),
    Case("vmdk_given_as_vmx", vmdk_as_vmx, "E-VMX-IS-VMDK", ("-i", "vmx")),
    Case("vmdk_extent_escapes", vmdk_over_passwd, "E-IMAGE-ESCAPES"),
    Case("qcow2_backing_escapes", qcow2_over_passwd, "E-IMAGE-ESCAPES"),
    Case("qcow2_encrypted", encrypted, "E-IMAGE-ENCRYPTED"),
    Case("vmx_encrypted", lambda folder: vmx(folder, text='encryption.keySafe = "x"\n'),
         "E-VMX-ENCRYPTED", ("-i", "vmx")),
    Case(
        "vmx_memory_no_number",
        lambda folder: vmx(folder, text=VMX.replace('"512"', '"much"') % "disk.vmdk"),
        "much",
    ),
    Case("xml_with_entities", with_entities, "E-XML-ENTITIES", ("-i", "libvirt")),
    Case("xml_not_well_formed", lambda folder: text_file(folder, "<domain><name>"), "E-XML",
         ("-i", "libvirt")),
    Case(
        "xml_network_disk",
        lambda folder: xml(
            folder,
            "<disk type='network'><source protocol='rbd' name='a/b'/>"
            "<target dev='sda' bus='scsi'/></disk>",
        ),
        "rbd",
    ),
    Case("name_with_a_slash", named("a/b"), "E-NAME"),
    Case("name_with_a_newline", named("a\nb"), "E-NAME"),
    Case("name_with_a_leading_dash", named("-rf"), "E-NAME"),
    Case("name_of_dots", named(".."), "E-NAME"),
    Case("new_name_empty", xl_with_disk, "E-NAME", ("-on", "")),
    Case("new_name_too_long", xl_with_disk, "E-NAME", ("-on", "n" * 250)),
    Case("target_absent", xl_with_disk, "E-TARGET-FOLDER", ("-os", "/nowhere/at/all")),
    Case("target_is_a_file", xl_with_disk, "E-TARGET-FOLDER", ("-os", "/etc/hostname")),
    Case("target_takes_no_files", xl_with_disk, "E-TARGET-SPACE", ("-os", "/proc")),
    Case(
        "no_space_in_the_target",
        lambda folder: (raw(folder, size=1 << 43), xl(folder))[1],
        "E-TARGET-SPACE",
        ("-oa", "preallocated", "-of", "raw"),
    ),
    Case("kind_unknown", xl_with_disk, "invalid choice: 'vhs'", ("-i", "vhs"), 2),
    Case("output_unknown", xl_with_disk, "invalid choice: 'tape'", ("-o", "tape"), 2),
    Case("map_to_nothing", xl_with_disk, "E-NETWORK-MAP", ("-n", ""), 2),
    Case("map_given_twice", xl_with_disk, "E-NETWORK-MAP", ("-b", "a:b", "-b", "a:c"), 2),
    Case("mac_that_is_none", xl_with_disk, "E-NETWORK-MAP", ("--mac", "00:11:bridge:x"), 2),
    Case("null_with_storage", xl_with_disk, "E-USAGE", ("-o", "null", "-os", "."), 2),
    Case(
        "rebuilt_without_guest_code", xl_with_disk, "E-USAGE",
        ("--no-guest-code", "--initramfs", "rebuild"), 2,
    ),
    Case("readable_to_nowhere", xl_with_disk, "E-USAGE", ("--machine-readable=tape:1",), 2),
)  # fmt: skip


def state(folder: Path) -> dict[str, str]:
    """Return the hash of every file in a folder."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.stat().st_size < 1 << 30
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_input_is_named_and_leaves_nothing(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guest, target = tmp_path / "guest", tmp_path / "target"
    guest.mkdir()
    target.mkdir()
    source = case.make(guest)
    before = state(guest)
    storage = () if "-os" in case.options or "null" in case.options else ("-os", str(target))
    argv = ("convert", str(source), *storage, *case.options)
    try:
        status = main(argv)
    except SystemExit as usage:  # argparse's way to say it
        status = int(usage.code or 0)
    said = capsys.readouterr().err
    assert status == case.status, said
    assert case.said in said
    assert "Traceback" not in said
    assert list(target.iterdir()) == []
    assert state(guest) == before


def test_all_blockers_come_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = XL.replace("disk = [ '%s,raw,xvda,rw' ]", "disk = [ 'a,raw,xvda,rw', 'b,raw,xvdb,rw' ]")
    source = xl(tmp_path, text=text.replace('"web"', '"a/b"'))
    assert main(("convert", str(source), "-os", "/nowhere")) == 1
    said = capsys.readouterr().err
    assert said.count("E-DISK-MISSING") == 2
    assert "E-NAME" in said


def test_a_target_that_exists_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "web-sda.qcow2").write_text("somebody's disk")
    assert main(("convert", str(xl_with_disk(tmp_path)), "-os", str(target))) == 1
    assert "web-sda.qcow2: exists already [E-TARGET-EXISTS]" in capsys.readouterr().err
    assert [path.read_text() for path in target.iterdir()] == ["somebody's disk"]


def test_a_report_lists_blockers_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("report", str(xl(tmp_path)), "-q", "-os", str(tmp_path))) == 1
    assert "Blockers: 1\n  E-DISK-MISSING" in capsys.readouterr().out


def test_there_are_enough_wrong_inputs() -> None:
    assert len(CASES) >= 30
