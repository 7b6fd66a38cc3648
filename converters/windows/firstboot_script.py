# SPDX-License-Identifier: LGPL-2.1-or-later
"""The batch files that run at the first boot, as text. docs/windows.md says what they promise.

All is plain cmd of Windows XP: no PowerShell, no `timeout`, no `exit` that ends more than its own
file. Whatever is counted is read back before it is relied upon, so a full disk ends the program
and cannot make it loop. Programs are run by ``call``, which makes no difference to Windows.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_REBOOTS = 5  # that the program asks for, in all
MAX_STARTS = 10  # of the program, the reboots of others included; then it ends for good
PAUSE = 30  # seconds before a step is tried again

# Exit codes of Windows Installer and of pnputil: ERROR_SUCCESS_REBOOT_REQUIRED, _INITIATED.
_PROGRAM = r"""@echo off
setlocal
cd /d "%~dp0"
set reboot=
set stop=
set noreboot=
if exist complete goto finish
rem Files that were made while Windows was off are open to everyone; they get the permissions of
rem the folder above.
if not exist "%SystemRoot%\System32\icacls.exe" goto secured
call icacls "%CD%" /reset /t /c /q >nul 2>&1
@SECURED@
:secured
if not exist state md state
if not exist logs md logs
set starts=0
if exist state\starts set /p starts=<state\starts
set /a starts=starts+1
if %starts% gtr @MAX_STARTS@ goto given_up
call :count starts %starts%
if defined stop goto stopped
call :say start %starts%
if %starts% gtr @MAX_REBOOTS@ set noreboot=1

:round
set again=
@REQUIRED@
if defined reboot call :reboot
if defined stop goto stopped
@OPTIONAL@
if defined reboot call :reboot
if defined stop goto stopped
if not defined again goto all_done
call :sleep @PAUSE@
goto round

:all_done
call :say all steps are done
goto completed

:given_up
call :say given up: started too often
goto completed

:completed
>complete echo %date% %time%
:finish
if exist steps rd /s /q steps
if exist files rd /s /q files
if exist state rd /s /q state
@LAST@
call sc delete @SERVICE@ >nul 2>&1
exit /b 0

:stopped
call :say stopped: %stop%
exit /b 0

rem NAME TRIES SECONDS: run a step unless it is done, given up or nothing may run any more
:step
if defined stop exit /b 0
if exist "state\%1.done" exit /b 0
set tries=0
if exist "state\%1.tries" set /p tries=<"state\%1.tries"
set /a tries=tries+1
if %tries% gtr %2 goto too_often
call :count %1.tries %tries%
if defined stop exit /b 0
call :say %1: try %tries% of %2
if exist "state\%1.code" del "state\%1.code"
start "" /b cmd.exe /d /c run.cmd %1
set waited=0
:wait
if exist "state\%1.code" goto ended
set /a waited=waited+1
if %waited% gtr %3 goto hung
call :sleep 1
goto wait

:ended
set code=none
set /p code=<"state\%1.code"
call :say %1: exit code %code%
if "%code%"=="0" goto done
if "%code%"=="3010" goto wants_reboot
if "%code%"=="1641" goto wants_reboot
if %tries% geq %2 goto too_often
set again=1
exit /b 0

:wants_reboot
set reboot=1
:done
call :count %1.done 1
exit /b 0

:too_often
call :say %1: given up
call :count %1.done 1
exit /b 0

:hung
call :say %1: not ended after %3 seconds, left alone
call :count %1.done 1
exit /b 0

rem FILE NUMBER: keep a number; what does not get to the disk ends the program
:count
>"state\%1" echo %2
set seen=
if exist "state\%1" set /p seen=<"state\%1"
if not "%seen%"=="%2" set stop=state\%1 could not be written
exit /b 0

rem Restart Windows, which stops the program; without that, the steps go on
:reboot
set reboot=
if defined noreboot goto no_reboot
call :say restart %starts% of at most @MAX_REBOOTS@
call shutdown -r -f -t 5
set code=%errorlevel%
if "%code%"=="0" goto restarting
if "%code%"=="1115" goto restarting
if "%code%"=="1190" goto restarting
call :say shutdown: exit code %code%
set noreboot=1
exit /b 0
:restarting
set stop=Windows restarts
exit /b 0
:no_reboot
call :say a restart is wanted, and left to people
exit /b 0

:say
>>log.txt echo %date% %time% %*
exit /b 0

:sleep
set /a pings=%1+1
call ping -n %pings% 127.0.0.1 >nul
exit /b 0
"""

# The exit code gets its name when it is whole.
RUN = r"""@echo off
setlocal
cd /d "%~dp0"
set V2V_DIR=%CD%
if exist "files\%1" cd "files\%1"
cmd.exe /d /c "%V2V_DIR%\steps\%1.cmd" >>"%V2V_DIR%\logs\%1.txt" 2>&1 <nul
set code=%errorlevel%
cd /d "%V2V_DIR%"
>"state\%1.new" echo %code%
ren "state\%1.new" "%1.code"
"""


def program(
    required: Iterable[tuple[str, int, int]],
    optional: Iterable[tuple[str, int, int]],
    service: str,
    made: Iterable[str] = (),
    last: Iterable[str] = (),
) -> str:
    """Return the program that runs steps, each given as name, tries, and seconds for one.

    ``made`` are files and folders whose permissions are to be those of Windows' own; ``last`` are
    lines that run at the end, whatever became of the steps.
    """
    text = _PROGRAM
    for name, value in {
        "REQUIRED": _calls(required),
        "OPTIONAL": _calls(optional),
        "MAX_REBOOTS": str(MAX_REBOOTS),
        "MAX_STARTS": str(MAX_STARTS),
        "PAUSE": str(PAUSE),
        "SERVICE": service,
        "SECURED": "\n".join(f'call icacls "{path}" /reset /t /c /q >nul 2>&1' for path in made),
        "LAST": "\n".join(last),
    }.items():
        text = text.replace(f"@{name}@", value)
    return text


def _calls(steps: Iterable[tuple[str, int, int]]) -> str:
    return "\n".join(f"call :step {name} {tries} {seconds}" for name, tries, seconds in steps)


def step_script(body: str, ps1: str | None) -> str:
    """Return a step's batch file; in it, %RUN_PS1% runs the PowerShell script of that name.

    The script's text is evaluated, not its file run: a policy that wants signed files (AllSigned)
    does not hold for it, and the constrained language mode has no part in how it gets there.
    """
    lines = ["@echo off", "setlocal"]
    if ps1 is not None:
        lines.append(
            "set RUN_PS1=powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass"
            f" -Command \"Invoke-Expression (Get-Content '{ps1}' | Out-String)\""
        )
    return "\n".join([*lines, body.strip("\n") or "%RUN_PS1%", ""])
