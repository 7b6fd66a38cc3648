# SPDX-License-Identifier: LGPL-2.1-or-later
"""Talking to QEMU's monitor (docs/interop/qmp-spec) and to the guest agent (docs/interop/qemu-ga).

Both speak JSON, one object a line, over a Unix socket that QEMU listens at.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any

from v2v.errors import ProofError

_PATIENCE = 60.0  # seconds for an answer: on a busy machine QEMU can be slow to give it
_MAX_LINE = 1024 * 1024
_SYNC = 0x76327632  # any number will do: the agent returns it


class Monitor:
    """QEMU's monitor."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        self._stream = connection.makefile("rwb")
        self._events: list[str] = []
        self.execute("qmp_capabilities")

    def take_events(self) -> tuple[str, ...]:
        """Return the names of what QEMU reported, before its last answer, and forget them."""
        events, self._events = self._events, []
        return tuple(events)

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a command and return its answer. Raises ProofError (E-PROOF-QEMU)."""
        request = {"execute": command, "arguments": arguments}
        try:
            self._stream.write(json.dumps(request).encode() + b"\n")
            self._stream.flush()
            return self._answer(command)
        except (OSError, ValueError) as error:
            raise ProofError("E-PROOF-QEMU", f"qemu: {command}: {error}") from error

    def _answer(self, command: str) -> Any:
        while line := self._stream.readline(_MAX_LINE):
            message = json.loads(line)
            if "event" in message:
                self._events.append(message["event"])
            elif "error" in message:
                raise ProofError("E-PROOF-QEMU", f"qemu: {command}: {message['error']['desc']}")
            elif "return" in message:
                return message["return"]
        raise ProofError("E-PROOF-QEMU", f"qemu: {command}: the connection was closed")


class Agent:
    """The guest agent, asked again and again whether it is there.

    What is asked before it runs waits in the channel, so that it answers as soon as it starts.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._heard = b""

    def answers(self) -> bool:
        """Ask, and tell whether any of the questions so far was answered."""
        question = {"execute": "guest-sync", "arguments": {"id": _SYNC}}
        try:
            with suppress(BlockingIOError):  # the channel is full of questions
                self._connection.send(json.dumps(question).encode() + b"\n")
            with suppress(BlockingIOError):  # nothing was said
                self._heard = (self._heard + self._connection.recv(4096))[-4096:]
        except OSError as error:
            raise ProofError("E-PROOF-QEMU", f"qemu: guest agent: {error}") from error
        return any(_is_answer(line) for line in self._heard.splitlines())


def _is_answer(line: bytes) -> bool:
    try:
        return bool(json.loads(line) == {"return": _SYNC})
    except (ValueError, RecursionError):  # the guest may say anything
        return False
