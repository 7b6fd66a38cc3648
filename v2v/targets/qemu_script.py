# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shell script that starts a domain in QEMU, without libvirt.

It runs in its own folder and names what is there without a path, so that the folder can be moved.
The monitor listens at NAME.qmp, the guest agent is behind NAME.agent.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lxml import etree

from v2v.accel import TOLD, TRIAL
from v2v.output_options import OutputOptions, Screen
from v2v.proof import firmware
from v2v.proof.domain import described
from v2v.proof.domxml import Element, attribute
from v2v.proof.hardware import Card, Drive, Hardware
from v2v.proof.qemu import command_line
from v2v.proof.words import Pair, blockdev, chardev, device, join, on
from v2v.version import VERSION

_HYPERV = {
    **{name: f"hv-{name}" for name in ("relaxed", "vapic", "vpindex", "runtime")},
    **{name: f"hv-{name}" for name in ("synic", "stimer", "frequencies")},
}
_SOUND = {
    "ich9": ("ich9-intel-hda", "hda-duplex"),
    "ich6": ("intel-hda", "hda-duplex"),
    "ac97": ("AC97",),
    "es1370": ("ES1370",),
    "sb16": ("sb16",),
}
_SCREENS = {
    Screen.vnc: ("-display", "vnc=127.0.0.1:0,to=99"),
    Screen.spice: ("-spice", "port=5900,addr=127.0.0.1,disable-ticketing=on"),
    Screen.gtk: ("-display", "gtk"),
    Screen.sdl: ("-display", "sdl"),
    Screen.none: ("-display", "none"),
}
_VARIABLES = {"-accel": "$accel", "-cpu": "$cpu"}


@dataclass(frozen=True, slots=True)
class _Around:
    """A script's surroundings of the hardware: images beside it, the user's own network."""

    name: str
    screen: Screen
    bridges: bool
    code: Path | None = None
    variables: Path | None = None

    flags = ("-nodefaults", "-no-user-config")
    accelerator = "$accel"
    host_cpu = "$cpu"

    def board(self) -> Iterator[Pair]:
        yield _SCREENS[self.screen]
        yield "-boot", "strict=on"
        yield chardev("socket", "qmp", Path(f"{self.name}.qmp"), server="on", wait="off")
        yield "-mon", "chardev=qmp,mode=control"

    def firmware(self) -> Iterator[Pair]:
        yield from ()

    def network(self, at: int, card: Card) -> Iterator[Pair]:
        if self.bridges and card.bridge is not None:
            yield "-netdev", join("bridge", id=f"net{at}", br=card.bridge)
        else:
            yield "-netdev", join("user", id=f"net{at}", net=f"10.0.{at + 2}.0/24")

    def text_console(self, name: str) -> Pair:
        # The terminal's keys are the guest's, Ctrl-C too; Ctrl-A X ends QEMU.
        if name == "ttyS0":
            return chardev("stdio", name, mux="on", signal="off")
        return chardev("null", name)

    def agent_channel(self) -> Pair:
        return chardev("socket", "agent", Path(f"{self.name}.agent"), server="on", wait="off")

    def disk(self, at: int, drive: Drive) -> Pair | None:
        if drive.path is None:
            return None
        options = {"read-only": on(drive.cdrom), "discard": "unmap" if drive.discard else "ignore"}
        return blockdev(drive.format, f"drive{at}", drive.path, **options)


def script(xml: str, folder: Path, options: OutputOptions) -> str:
    """Return the script for a domain whose images are in a folder, as it will be.

    Raises ProofError where no firmware is installed that the domain asks for.
    """
    root = etree.fromstring(xml.encode())
    hardware = _moved(described(root, folder), folder)
    around = _Around(hardware.name, _screen(root, options), options.bridges)
    prepared: list[str] = []
    if hardware.uefi is not None:
        code, template = firmware.choose(hardware.uefi, q35=hardware.q35)
        variables = Path(f"{hardware.name}-vars.fd")
        around = replace(around, code=code, variables=variables)
        copy = shlex.join(["cp", "--", str(template), _plain(variables)])
        prepared.append(f"[ -e {shlex.quote(_plain(variables))} ] || {copy}")
    extras = [*_extras(root, around)]
    if root.find("devices/tpm") is not None:
        prepared += _swtpm(hardware.name)
        extras += _tpm(hardware.name)
    if hardware.serials:
        extras.append(("-mon", "chardev=ttyS0,mode=readline"))
    argv = command_line(hardware, around)
    flags = 1 + len(around.flags)
    words = argv[flags:]
    pairs = [*zip(words[::2], words[1::2], strict=True), *extras]
    start = " \\\n    ".join((f"exec {shlex.join(argv[:flags])}", *map(_quoted, pairs), '"$@"'))
    return _head(hardware, root) + "".join(f"{line}\n" for line in prepared) + f"\n{start}\n"


def _moved(hardware: Hardware, folder: Path) -> Hardware:
    """Return the hardware with files of the folder named as seen from there."""

    def seen(path: Path) -> Path:
        return path.relative_to(folder) if path.is_relative_to(folder) else path

    kernel = hardware.kernel
    if kernel is not None:
        initrd = None if kernel.initrd is None else seen(kernel.initrd)
        kernel = replace(kernel, kernel=seen(kernel.kernel), initrd=initrd)
    drives = (
        drive if drive.path is None else replace(drive, path=seen(drive.path))
        for drive in hardware.drives
    )
    return replace(hardware, drives=tuple(drives), kernel=kernel)


def _screen(root: Element, options: OutputOptions) -> Screen:
    if options.display is not None:
        return options.display
    return Screen.spice if attribute(root, "devices/graphics", "type") == "spice" else Screen.vnc


def _extras(root: Element, around: _Around) -> Iterator[Pair]:
    """Return the devices that no boot depends on."""
    if (genid := root.findtext("genid")) is not None:
        yield device("vmgenid", guid=genid.strip())
    if root.find("devices/input[@type='tablet']") is not None:
        yield device("usb-tablet")
    model = attribute(root, "devices/sound", "model")
    if model in _SOUND:
        driver = "spice" if around.screen is Screen.spice else "none"
        yield "-audiodev", join(driver, id="audio")
        controller, *codecs = _SOUND[model]
        yield device(controller) if codecs else device(controller, audiodev="audio")
        for codec in codecs:
            yield device(codec, audiodev="audio")


def _swtpm(name: str) -> tuple[str, ...]:
    folder, socket = (shlex.quote(text) for text in _tpm_paths(name))
    return (
        f"mkdir -p -- {folder}",
        f"swtpm socket --tpm2 --tpmstate dir={folder} --ctrl type=unixio,path={socket}"
        " --terminate --daemon",
    )


def _tpm(name: str) -> tuple[Pair, ...]:
    return (
        chardev("socket", "tpm", Path(_tpm_paths(name)[1])),
        ("-tpmdev", "emulator,id=tpm,chardev=tpm"),
        device("tpm-crb", tpmdev="tpm"),
    )


def _tpm_paths(name: str) -> tuple[str, str]:
    """Return folder and socket of the TPM; swtpm cannot be told names with commas."""
    plain = name.replace(",", "_")
    return f"./{plain}-tpm", f"./{plain}.tpm"


def _plain(path: Path) -> str:
    return str(path) if path.is_absolute() else f"./{path}"


def _quoted(pair: Pair) -> str:
    """Return an option for a shell; where the machine decides, it is a variable of the script."""
    option, value = pair
    variable = _VARIABLES.get(option)
    if variable is not None and value.startswith(variable):
        return f'{option} "{value}"'  # names of CPU features need no quotes
    return f"{option} {shlex.quote(value)}"


def _head(hardware: Hardware, root: Element) -> str:
    enlightened = "".join(
        f",{_HYPERV[one.tag]}"
        for one in root.findall("features/hyperv/*")
        if one.tag in _HYPERV and one.get("state") == "on"
    )
    if retries := attribute(root, "features/hyperv/spinlocks", "retries"):
        enlightened += f",hv-time,hv-spinlocks={int(retries):#x}"
    told = " ".join(shlex.quote(command) for command in TOLD)
    return f"""\
#!/bin/sh
# {hardware.name}: converted by v2v {VERSION}. Starts the guest; options of QEMU can be added.
# The terminal is the guest's serial console, Ctrl-A X ends QEMU.
set -eu
cd -- "$(dirname -- "$0")"

# KVM can be there and fail, so a virtual CPU is made with it; else the guest is emulated.
accel=tcg cpu=max,la57=off
if printf '%s\\n' {told} |
    {shlex.join(TRIAL)} > /dev/null 2>&1
then
    accel=kvm cpu=host{enlightened}
else
    echo "$0: no usable KVM, the guest is emulated" >&2
fi
"""
