# SPDX-License-Identifier: LGPL-2.1-or-later
"""The monitor and the agent, against a peer that says what QEMU says."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from v2v.errors import ProofError
from v2v.proof.qmp import Agent, Monitor

GREETING = b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}}\n'
READY = GREETING + b'{"return": {}}\n'


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends: ours and QEMU's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Wire = tuple[socket.socket, socket.socket]


def test_a_command_gets_its_answer_and_events_are_kept_apart(wire: Wire) -> None:
    ours, qemu = wire
    qemu.sendall(READY)
    qemu.sendall(b'{"event": "RESET", "data": {"guest": true}}\n{"return": {"running": true}}\n')
    monitor = Monitor(ours)
    assert monitor.execute("query-status", odd="a b") == {"running": True}
    assert monitor.take_events() == ("RESET",)
    assert monitor.take_events() == ()
    asked = [json.loads(line) for line in qemu.recv(4096).splitlines()]
    assert asked == [
        {"execute": "qmp_capabilities", "arguments": {}},
        {"execute": "query-status", "arguments": {"odd": "a b"}},
    ]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b'{"error": {"class": "GenericError", "desc": "no console"}}\n', "screendump: no console"),
        (b"what?\n", "screendump: Expecting value"),
    ],
)
def test_what_is_no_good_answer_is_an_error(said: bytes, message: str, wire: Wire) -> None:
    ours, qemu = wire
    qemu.sendall(READY + said)
    monitor = Monitor(ours)
    with pytest.raises(ProofError, match=message):
        monitor.execute("screendump")


def test_a_qemu_that_is_gone_is_an_error(wire: Wire) -> None:
    ours, qemu = wire
    qemu.sendall(READY)
    monitor = Monitor(ours)
    qemu.shutdown(socket.SHUT_WR)
    with pytest.raises(ProofError, match="the connection was closed"):
        monitor.execute("cont")
    qemu.close()
    with pytest.raises(ProofError, match="Broken pipe"):
        monitor.execute("cont")


def test_the_agent_answers_once_it_runs(wire: Wire) -> None:
    ours, guest = wire
    agent = Agent(ours)
    assert not agent.answers()
    question = json.loads(guest.recv(4096))
    assert question["execute"] == "guest-sync"
    guest.sendall(b'{"return": %d' % question["arguments"]["id"])
    assert not agent.answers()
    guest.sendall(b"}\n")
    assert agent.answers()


@pytest.mark.parametrize("said", [b"\xff\xfe{}\n", b'{"return": 1}\n', b"[" * 4000, b'"return"\n'])
def test_other_noise_on_the_channel_is_no_answer(said: bytes, wire: Wire) -> None:
    ours, guest = wire
    agent = Agent(ours)
    guest.sendall(said)
    assert not agent.answers()
    assert not agent.answers()


def test_a_channel_full_of_questions_is_no_error(wire: Wire) -> None:
    ours, _guest = wire
    agent = Agent(ours)
    assert not any(agent.answers() for _ in range(20_000))


def test_a_channel_that_is_gone_is_an_error(wire: Wire) -> None:
    ours, guest = wire
    agent = Agent(ours)
    guest.close()
    with pytest.raises(ProofError, match="guest agent: "):
        agent.answers()
