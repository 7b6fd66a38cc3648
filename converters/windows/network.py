# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts fixed addresses back at first boot, when the new adapters are there.

The old adapter keeps its settings until the new one has been found: then the values go, as two
adapters with one address make Windows complain, and its name is free for the new one. Taking them
out offline would be as easy, but would lose them where the first boot does not come that far, and
for a second conversion.

Adapters are found by their MAC address: by PowerShell's one line where there is PowerShell, as it
knows the number that netsh takes in place of a name, and a command line is subject to no execution
policy; else by getmac, whose table has no words in it. No name of an adapter stands in the script.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from converters.windows.conversion import Conversion
from converters.windows.firstboot import Step
from converters.windows.network_adapters import Adapter, Match, Settings, adapters, match
from v2v.model import Nic
from v2v.nic_address import NicAddress

_ORDER = 1300  # behind the drivers, before what may use the network
_VISTA = (6, 0)
_SEVEN = (6, 1)  # knows validate=no, without which netsh asks each name server

_HEAD = r"""set left=40
set failed=0
set "nets=HKLM\SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}"
set "tcp=HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces"
set "netbt=HKLM\SYSTEM\CurrentControlSet\Services\NetBT\Parameters\Interfaces"
set "kept=HKLM\SOFTWARE\v2v\Network"
set "shell=powershell -NoProfile -NonInteractive -Command"
set "each=Get-WmiObject Win32_NetworkAdapter"
"""
# 40 times the 5 s of ping and what PowerShell takes to start, in all: at most 5 minutes.
_TAIL = r"""exit /b %failed%

:missing
echo there is no adapter for this NIC
set failed=1
exit /b 0

rem MAC:WITH:COLONS MAC-WITH-DASHES: set nic to what netsh knows the adapter by, and guid
:find
set nic=
set guid=
set byindex=
set "mine=$_.InterfaceIndex -and $_.MACAddress -eq '%1' -and $_.PNPDeviceID -like 'PCI\*'"
set "said=[string]$_.InterfaceIndex + ' ' + $_.GUID"
set "ask=%each% | Where-Object { %mine% } | ForEach-Object { %said% }"
for /f "tokens=1,2" %%a in ('call %shell% "%ask%" 2^>nul') do (
set nic=%%a
set guid=%%b
set byindex=1
)
if defined nic exit /b 0
for /f "tokens=1,2 delims=," %%a in ('call getmac /fo csv /nh 2^>nul') do (
if /i "%%~a"=="%2" set "guid=%%~b"
)
if not defined guid goto again
set "guid=%guid:*Tcpip_=%"
if not "%guid:~0,1%"=="{" goto again
set "key=%nets%\%guid%\Connection"
for /f "tokens=2,*" %%a in ('call reg query "%key%" /v Name 2^>nul') do (
if "%%a"=="REG_SZ" set "nic=%%b"
)
if defined nic exit /b 0
:again
if %left% leq 0 exit /b 0
set /a left=left-1
call ping -n 6 127.0.0.1 >nul
goto find

rem "GUID" "INSTANCE": take addresses and name of an adapter that is gone, and it itself
:forget
call reg query "%kept%\%~1" >nul 2>&1
if errorlevel 1 call reg copy "%nets%\%~1\Connection" "%kept%\%~1" /f >nul 2>&1
call reg query "%tcp%\%~1" >nul 2>&1
if not errorlevel 1 call reg add "%tcp%\%~1" /v EnableDHCP /t REG_DWORD /d 1 /f >nul
for %%v in (IPAddress SubnetMask DefaultGateway DefaultGatewayMetric NameServer) do (
call reg delete "%tcp%\%~1" /v %%v /f >nul 2>&1
)
call pnputil /remove-device "%~2" >nul 2>&1
call reg query "%nets%\%~1\Connection" >nul 2>&1
if not errorlevel 1 call reg add "%nets%\%~1\Connection" /v Name /t REG_SZ /d "old %~1" /f >nul
exit /b 0

rem "GUID": give the adapter the name of the one that is gone
:rename
set "name=$n = (Get-ItemProperty 'HKLM:\SOFTWARE\v2v\Network\%~1').Name"
set "new=Get-NetAdapter -InterfaceIndex %nic% | Rename-NetAdapter -NewName $n"
set "old=$a = %each% -Filter 'InterfaceIndex=%nic%'; $a.NetConnectionID = $n; $a.Put()"
set "cmdlet=Get-Command Rename-NetAdapter -ErrorAction SilentlyContinue"
set "ask=%name%; if ($n) { if (%cmdlet%) { %new% } else { %old% } }"
if defined byindex call %shell% "%ask%" >nul 2>&1
if defined byindex exit /b 0
set name=
for /f "tokens=2,*" %%a in ('call reg query "%kept%\%~1" /v Name 2^>nul') do (
if "%%a"=="REG_SZ" set "name=%%b"
)
if defined name call netsh interface set interface name="%nic%" newname="%name%"
exit /b 0
"""


def steps(conversion: Conversion) -> tuple[Step, ...]:
    """Return the step that gives each adapter what it had: addresses set by hand, and its name."""
    found = match(adapters(conversion), conversion.machine.nics)
    wanted = list(_wanted(conversion, found))
    if not wanted:
        return ()
    calls = "".join(f"call :nic{number}\n" for number in range(1, len(wanted) + 1))
    bodies = "".join(
        f"\n:nic{number}\n" + "\n".join(_lines(conversion, *one)) + "\nexit /b 0\n"
        for number, one in enumerate(wanted, 1)
    )
    before, _, after = _TAIL.partition("\n\n")
    script = f"{_HEAD}{calls}{before}\n{bodies}\n{after}"
    return (Step("network", _ORDER, script, required=False, tries=3, minutes=15),)


def _wanted(
    conversion: Conversion, found: tuple[Match, ...]
) -> Iterator[tuple[str, Settings, Adapter | None]]:
    """Yield the MAC address, settings and old adapter of each NIC that something is set of."""
    for nic in conversion.machine.nics:
        known = next((known for known in found if known.nic is nic), None)
        old = None if known is None else known.adapter
        settings = Settings() if old is None else old.settings
        if nic.addresses:
            settings = _from_user(nic.addresses)
        # A NIC that asks a server for its address needs no more than the old one's name and leave.
        gone = known is not None and known.sure and nic.mac is not None
        if not settings.any and not gone:
            continue
        if nic.mac is None or (not nic.addresses and known is not None and not known.sure):
            _warn(conversion, nic, settings)
        if nic.mac is not None:
            yield nic.mac, settings, old


def _warn(conversion: Conversion, nic: Nic, settings: Settings) -> None:
    said = ", ".join([address for address, _ in settings.addresses] or settings.name_servers)
    where = f"goes to the NIC {nic.mac}, by the order alone" if nic.mac else "finds no MAC address"
    conversion.draft.warn(
        "W-NET-MATCH",
        f"{said or settings.domain}: it {where}",
        hint="give the address with --mac MAC:ip:ADDR[,GW[,LEN[,NS...]]] if that is wrong",
    )


def _from_user(addresses: tuple[NicAddress, ...]) -> Settings:
    """Return settings as the registry has them."""
    return Settings(
        tuple((given.address, _mask(given)) for given in addresses),
        tuple((given.gateway, 0) for given in addresses if given.gateway is not None),
        tuple(dict.fromkeys(server for given in addresses for server in given.name_servers)),
    )


def _mask(given: NicAddress) -> str:
    if ":" in given.address:
        return str(given.prefix)
    return str(ipaddress.ip_network(f"0.0.0.0/{given.prefix}").netmask)


def _lines(
    conversion: Conversion, mac: str, settings: Settings, old: Adapter | None
) -> Iterator[str]:
    """Yield what sets an adapter up: netsh's positional arguments, which all versions take."""
    yield f"call :find {mac.upper()} {mac.upper().replace(':', '-')}"
    yield "if not defined nic goto missing"
    if old is not None:
        yield f'if /i "%guid%"=="{old.guid}" exit /b 0'
        yield f'call :forget "{old.guid}" "{old.instance.replace("%", "%%")}"'
    yield from _addresses(settings, 0 if conversion.windows.nt >= _VISTA else 1)
    yield from _name_servers(conversion, settings)
    yield from _options(conversion, settings)
    if old is not None:
        yield f'call :rename "{old.guid}"'


def _addresses(settings: Settings, least: int) -> Iterator[str]:
    """Yield the lines for addresses and gateways, whose metric is 1 at least before Vista."""
    set_already = False
    gateways = [(gw, max(metric, least)) for gw, metric in settings.gateways if "." in gw]
    for address, mask in settings.addresses:
        if ":" in address:
            yield f'call netsh interface ipv6 add address "%nic%" {address}/{mask}'
        elif set_already:
            yield f'call netsh interface ip add address "%nic%" {address} {mask}'
        else:
            gateway = " ".join(map(str, gateways[0])) if gateways else "none"
            yield f'call netsh interface ip set address "%nic%" static {address} {mask} {gateway}'
            yield "if errorlevel 1 set failed=1"
            set_already = True
    for gateway, metric in gateways[1:]:
        yield f'call netsh interface ip add address "%nic%" gateway={gateway} gwmetric={metric}'
    for gateway, _ in settings.gateways:
        if ":" in gateway:
            yield f'call netsh interface ipv6 add route ::/0 "%nic%" {gateway}'


def _name_servers(conversion: Conversion, settings: Settings) -> Iterator[str]:
    """Yield the lines for DNS, where XP wants the first server set and others added."""
    validate = " validate=no" if conversion.windows.nt >= _SEVEN else ""
    for kind, ip in (("ip", 4), ("ipv6", 6)):
        servers = [server for server in settings.name_servers if (":" in server) == (ip == 6)]
        for number, server in enumerate(servers, 1):
            verb, place = ("set", "static ") if number == 1 else ("add", "")
            index = "" if number == 1 else f" index={number}"
            yield f'call netsh interface {kind} {verb} dns "%nic%" {place}{server}{index}{validate}'


def _options(conversion: Conversion, settings: Settings) -> Iterator[str]:
    for number, server in enumerate(settings.wins, 1):
        rest = f"{server} index={number}" if number > 1 else f"static {server}"
        yield f'call netsh interface ip {"add" if number > 1 else "set"} wins "%nic%" {rest}'
    if settings.domain and settings.domain.isascii():
        yield f'call reg add "%tcp%\\%guid%" /v Domain /t REG_SZ /d "{settings.domain}" /f'
    if settings.netbios is not None:
        option = f"/v NetbiosOptions /t REG_DWORD /d {settings.netbios} /f"
        yield f'call reg add "%netbt%\\Tcpip_%guid%" {option}'
    if settings.metric and conversion.windows.nt >= _VISTA:
        yield f'call netsh interface ipv4 set interface "%nic%" metric={settings.metric}'
    elif settings.metric:
        option = f"/v InterfaceMetric /t REG_DWORD /d {settings.metric} /f"
        yield f'call reg add "%tcp%\\%guid%" {option}'
