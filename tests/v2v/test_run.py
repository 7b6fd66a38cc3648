# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that are started and waited for."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from v2v.run import listens, running

_SLOW = """
import socket, sys, time
with socket.socket(socket.AF_UNIX) as server:
    server.bind(sys.argv[1])
    time.sleep(0.3)
    server.listen()
    time.sleep(30)
"""


def test_a_socket_is_waited_for_until_somebody_listens(tmp_path: Path) -> None:
    place = tmp_path / "a socket"
    with running(sys.executable, "-c", _SLOW, str(place), stderr=tmp_path / "log") as child:
        assert listens(child, place, 20)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place))


def test_a_program_that_ends_does_not_listen(tmp_path: Path) -> None:
    with running("false", stderr=tmp_path / "log") as child:
        assert not listens(child, tmp_path / "socket", 20)


def test_waiting_for_a_socket_ends(tmp_path: Path) -> None:
    with running("sleep", "60", stderr=tmp_path / "log") as child:
        assert not listens(child, tmp_path / "socket", 0.1)
