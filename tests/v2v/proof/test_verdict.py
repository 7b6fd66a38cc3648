# SPDX-License-Identifier: LGPL-2.1-or-later
"""A dead guest never passes; a living one is believed as soon as it is sure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from v2v.proof.evidence import Level, Reason
from v2v.proof.pcap import Traffic
from v2v.proof.screen import Screen
from v2v.proof.verdict import GRACE, LAST_WORDS, MAX_RESETS, SETTLED, WRITTEN, Judge, Look, Verdict

MAC = "52:54:00:12:34:56"
DHCP = Traffic(3, system=3, first="DHCP request", lease="10.0.2.15")
SPEAKING = Look(1.0, console="[    0.000000] Linux version 6.1.0")
LOGIN = "Debian GNU/Linux 12 web ttyS0\n\nweb login:"
DESKTOP = Screen(graphical=True)


def judge(*macs: str, timeout: float = 300) -> Judge:
    return Judge(macs, timeout)


def reason(verdict: Verdict | None) -> Reason | None:
    assert verdict is not None, "there is no verdict yet"
    return verdict.cause.reason if verdict.cause else None


def test_a_login_prompt_with_every_nic_heard_ends_the_proof_at_once() -> None:
    court = judge(MAC)
    court.see(SPEAKING)
    assert court.verdict() is None
    court.see(Look(9.0, console=LOGIN, traffic=(DHCP,)))
    assert reason(court.verdict()) is None
    assert court.level is Level.login
    assert court.silent_nics == ()


def test_a_silent_nic_gets_its_grace_and_is_named() -> None:
    court = judge(MAC)
    court.see(Look(9.0, console=LOGIN, traffic=(Traffic(),)))
    assert court.verdict() is None
    court.see(Look(9.0 + GRACE, console=LOGIN, traffic=(Traffic(),)))
    assert reason(court.verdict()) is None
    assert court.silent_nics == (MAC,)


def test_the_agent_is_proof_without_any_console() -> None:
    court = judge()
    court.see(Look(9.0, agent=True))
    assert reason(court.verdict()) is None
    assert court.level is Level.agent


def test_a_login_prompt_on_the_screen_counts_too() -> None:
    court = judge()
    court.see(Look(9.0, screen=Screen(("Debian GNU/Linux 12 web tty1", "web login:"))))
    assert reason(court.verdict()) is None
    assert court.signs[-1].text == "screen: web login:"


def test_a_panic_after_the_login_prompt_is_still_a_failure() -> None:
    court = judge(MAC)
    court.see(Look(9.0, console=LOGIN, traffic=(Traffic(),)))
    panic = f"{LOGIN}\n[   12.0] Kernel panic - not syncing: Fatal exception"
    court.see(Look(12.0, console=panic, traffic=(DHCP,)))
    court.see(Look(12.0 + LAST_WORDS, console=panic, traffic=(DHCP,)))
    assert reason(court.verdict()) is Reason.panic


def test_an_emergency_shell_fails_though_the_network_is_up_and_disks_are_written() -> None:
    # Seen with Debian 12: ifupdown asks for an address behind an emergency shell.
    lines = ("You are in emergency mode. After logging in, type", "Give root password for")
    dead = Look(40.0, screen=Screen(lines), traffic=(DHCP,), written=WRITTEN * 9)
    court = judge(MAC)
    court.see(dead)
    court.see(replace(dead, seconds=43.0))
    assert reason(court.verdict()) is Reason.maintenance


def settled(court: Judge, look: Look) -> Verdict | None:
    """Show the same look until traffic and writes have gone on for long enough."""
    court.see(look)
    court.see(replace(look, seconds=look.seconds + SETTLED, written=look.written + 4096))
    return court.verdict()


def test_network_and_writes_are_proof_behind_a_graphical_screen() -> None:
    living = Look(40.0, screen=DESKTOP, traffic=(DHCP,), written=WRITTEN)
    court = judge(MAC)
    assert reason(settled(court, living)) is None
    assert court.level is Level.network
    assert court.verdict() is not None


def test_network_and_writes_are_proof_of_a_guest_without_a_screen() -> None:
    court = Judge((MAC,), 300, has_screen=False)
    assert reason(settled(court, Look(40.0, traffic=(DHCP,), written=WRITTEN))) is None


@pytest.mark.parametrize(
    "look",
    [
        Look(40.0, screen=DESKTOP, traffic=(DHCP,)),
        Look(40.0, screen=DESKTOP, traffic=(Traffic(3, kernel=3),), written=WRITTEN),
        Look(40.0, screen=DESKTOP, traffic=(Traffic(3, firmware=3),), written=WRITTEN),
        Look(40.0, traffic=(DHCP,), written=WRITTEN),
        Look(40.0, screen=Screen(("fsck",)), traffic=(DHCP,), written=WRITTEN),
        replace(SPEAKING, screen=DESKTOP, traffic=(DHCP,), written=WRITTEN),
    ],
    ids=["no writes", "kernel frames", "PXE", "black screen", "text screen", "a console speaks"],
)
def test_less_than_network_and_writes_behind_graphics_is_no_proof(look: Look) -> None:
    assert settled(judge(MAC), look) is None


def test_writes_that_have_ended_are_no_proof() -> None:
    living = Look(40.0, screen=DESKTOP, traffic=(DHCP,), written=WRITTEN)
    court = judge(MAC)
    court.see(living)
    court.see(replace(living, seconds=40.0 + 2 * SETTLED))
    assert court.verdict() is None


def test_what_was_seen_before_a_reset_proves_nothing() -> None:
    court = judge(MAC)
    court.see(Look(9.0, console=LOGIN, traffic=(DHCP,), written=WRITTEN))
    court.see(Look(9.5, traffic=(DHCP,), written=WRITTEN, resets=1))
    assert court.verdict() is None
    assert court.level is Level.nothing
    assert court.signs[-1].text == "the guest was reset"
    court.see(Look(20.0, console=LOGIN, traffic=(replace(DHCP, system=6),), resets=1))
    assert court.silent_nics == ()
    assert reason(court.verdict()) is None


def test_a_guest_that_resets_again_and_again_is_in_a_loop() -> None:
    court = judge()
    for resets in range(MAX_RESETS + 2):
        court.see(Look(5.0 * resets, resets=resets))
    court.see(Look(60.0, resets=MAX_RESETS + 1))
    assert reason(court.verdict()) is Reason.reboot_loop


def test_a_guest_that_switches_itself_off_has_not_booted() -> None:
    court = judge()
    court.see(Look(5.0, powered_off=True))
    court.see(Look(8.0, powered_off=True))
    assert reason(court.verdict()) is Reason.powered_off


def test_a_boot_sector_without_code_is_found_when_the_bios_jumps_to_it() -> None:
    jump = "Booting from Hard Disk...\nBooting from 0000:7c00"
    for has_code, ends in ((True, False), (False, True)):
        court = Judge((), 300, has_boot_code=has_code)
        for seconds in (1.0, 4.0):
            court.see(Look(seconds, firmware=jump))
        assert (court.verdict() is not None) is ends
        if ends:
            assert reason(court.verdict()) is Reason.no_boot_device


def test_the_panic_device_is_believed() -> None:
    court = judge()
    court.see(Look(5.0, panicked=True))
    court.see(Look(8.0, panicked=True))
    assert reason(court.verdict()) is Reason.panic


def test_the_end_of_time_is_a_failure_and_tells_the_last_suspicion() -> None:
    court = judge(timeout=60)
    court.see(Look(10.0, console="error: no such device: 0d9c-11."))
    assert court.verdict() is None  # GRUB may go on
    court.see(Look(60.0))
    assert reason(court.verdict()) is Reason.boot_loader

    court = judge(timeout=60)
    court.see(Look(60.0))
    assert reason(court.verdict()) is Reason.timeout


def test_a_sign_is_noted_once_with_its_first_time() -> None:
    court = judge()
    for seconds in (1.0, 2.0, 3.0):
        court.see(replace(SPEAKING, seconds=seconds))
    assert [(sign.level, sign.seconds) for sign in court.signs] == [(Level.screen, 1.0)]


def test_a_firmware_logo_is_no_sign_of_life() -> None:
    court = judge()
    court.see(Look(5.0, screen=DESKTOP))
    assert court.level is Level.nothing
