# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs inside Windows at its first boot on KVM: steps, and a service that runs them.

The service is cmd.exe, which every Windows has. It starts the program beside itself and ends, which
the service control manager takes for a failed start (event 7000 or 7009) and leaves alone; the
program goes on. Where the host has rhsrvany.exe, that is the service, and nothing seems to fail.
docs/windows.md has the reasons.
"""

from __future__ import annotations

import codecs
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from converters.windows import boot_storage, firstboot_script, wizard
from converters.windows.conversion import Conversion
from v2v.files import any_case
from v2v.hive import Type, Value

SERVICE = "v2v-firstboot"
FOLDER = "v2v"  # in %SystemRoot%, the one folder whose name no language changes
_WHY = "it runs at the first boot"
_VERSION = r"Microsoft\Windows NT\CurrentVersion"
_COMMAND = (
    r'%SystemRoot%\System32\cmd.exe /d /c start "" /b '
    r"%SystemRoot%\System32\cmd.exe /d /c %SystemRoot%\v2v\firstboot.cmd"
)


@dataclass(frozen=True, slots=True)
class Step:
    """A batch file that runs at the first boot, in a folder that holds ``files``.

    It ends with `exit /b`: 0 is done, 3010 and 1641 are done but for a reboot, anything else has
    failed. ``ps1`` is the text of a PowerShell script that %RUN_PS1% runs.
    """

    name: str
    order: int  # lower first, after all that are required
    script: str
    required: bool = False
    tries: int = 3
    ps1: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    minutes: int = 30  # for one try; then it is left alone, and the next step runs

    @property
    def full_name(self) -> str:
        return f"{self.order:04}-{self.name}"


def install(conversion: Conversion, steps: Sequence[Step]) -> None:
    """Draft all that makes the steps run at the first boot, in their order; nothing for none."""
    if not steps:
        return
    draft = conversion.draft
    folder = any_case(draft, posixpath.join(conversion.windows.systemroot, FOLDER))
    ordered = sorted(steps, key=lambda step: (not step.required, step.order, step.name))
    _forget(conversion, folder)
    for step in ordered:
        _write_step(conversion, folder, step)
    calls = [(step.full_name, step.tries, 60 * step.minutes) for step in ordered]
    count = sum(step.required for step in ordered)
    program = firstboot_script.program(
        calls[:count], calls[count:], SERVICE, _made(conversion), wizard.restoring(conversion)
    )
    draft.write(f"{folder}/run.cmd", _batch(conversion, firstboot_script.RUN), why=_WHY)
    draft.write(f"{folder}/firstboot.cmd", _batch(conversion, program), why=_WHY)
    wrapper = conversion.drivers.wrapper
    if wrapper is not None:
        draft.upload(f"{folder}/{wrapper[0]}", wrapper[1], why=_WHY)
    _register(conversion, None if wrapper is None else wrapper[0])


def _made(conversion: Conversion) -> Iterator[str]:
    """Yield what is new in Windows' own folders, where ordinary users must not write.

    ntfs-3g gives everyone full access to a new file: ntfssecaudit shows one entry, 0x1f01ff for
    S-1-1-0.
    """
    if conversion.drivers.packages:
        yield r"%SystemRoot%\Drivers"
    package = boot_storage.driver(conversion)
    if package is not None:
        yield rf"%SystemRoot%\System32\drivers\{package.binary}"


def _forget(conversion: Conversion, folder: str) -> None:
    """Draft the removal of what an earlier conversion's first boot noted: all is to run again."""
    why = "of an earlier conversion"
    for name in conversion.draft.listdir(f"{folder}/state"):
        conversion.draft.remove(f"{folder}/state/{name}", why=why)
    conversion.draft.remove(f"{folder}/complete", why=why)


def _write_step(conversion: Conversion, folder: str, step: Step) -> None:
    draft = conversion.draft
    ps1 = None if step.ps1 is None else f"{step.name}.ps1"
    script = firstboot_script.step_script(step.script, ps1)
    draft.write(f"{folder}/steps/{step.full_name}.cmd", _batch(conversion, script), why=_WHY)
    files = f"{folder}/files/{step.full_name}"
    if step.ps1 is not None:  # PowerShell knows UTF-8 by its mark alone
        text = codecs.BOM_UTF8 + _lines(step.ps1).encode()
        draft.write(f"{files}/{ps1}", text, why=_WHY)
    for name, data in step.files.items():
        draft.upload(f"{files}/{name}", data, why=f"{step.name} needs it")


def _batch(conversion: Conversion, text: str) -> bytes:
    """Return a batch file as cmd reads it in a service: in the guest's OEM code page.

    `chcp 65001` is no way out: cmd up to Windows 7 does not read batch files in it.
    """
    page = conversion.system.text(rf"{conversion.current}\Control\Nls\CodePage", "OEMCP")
    try:
        codec = codecs.lookup(f"cp{page}").name
    except LookupError:
        codec = "ascii"
    return _lines(text).encode(codec, errors="replace")


def _lines(text: str) -> str:
    return "\r\n".join(text.splitlines()) + "\r\n"


def _register(conversion: Conversion, wrapper: str | None) -> None:
    """Draft the service; a ``wrapper`` finds what it is to run in the key Parameters."""
    command = _COMMAND
    parameters = rf"{conversion.current}\Services\{SERVICE}\Parameters"
    if wrapper is None:
        conversion.system.draft_removal(parameters, why="of an earlier conversion")
    else:
        command = rf"%SystemRoot%\v2v\{wrapper} -s {SERVICE}"
        root = conversion.software.text(_VERSION, "SystemRoot") or r"C:\Windows"
        conversion.system.draft(
            parameters,
            {
                "CommandLine": Value.text(r"cmd.exe /d /c %SystemRoot%\v2v\firstboot.cmd"),
                "PWD": Value.text(rf"{root}\{FOLDER}"),
            },
            why=_WHY,
        )
    conversion.system.draft(
        rf"{conversion.current}\Services\{SERVICE}",
        {
            "Type": Value.dword(0x10),  # a process of its own
            "Start": Value.dword(2),  # by itself, at each boot
            "ErrorControl": Value.dword(0),  # ignore: a start that fails is no matter
            "ImagePath": Value.text(command, Type.EXPAND_SZ),
            "DisplayName": Value.text("v2v first boot"),
            "ObjectName": Value.text("LocalSystem"),
            "DependOnService": Value.texts(["PlugPlay", "RpcSs"]),
        },
        why=_WHY,
    )
