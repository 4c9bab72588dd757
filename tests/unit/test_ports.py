"""The tests' own ports: reserved means that nobody else gets one, and that a server may still listen on it."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.support.ports import is_open, reserved_port

LISTEN = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    print("listening", flush=True)
    server.accept()
"""


def test_a_reserved_port_refuses_until_its_server_listens() -> None:
    with reserved_port() as port:
        assert not is_open(port)
        with subprocess.Popen([sys.executable, "-c", LISTEN, str(port)], stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"listening\n"
            assert is_open(port)  # the connection also ends the server
        assert server.returncode == 0


def test_a_reserved_port_is_nobody_elses() -> None:
    with reserved_port() as port, reserved_port() as another, socket.socket() as stranger:
        assert port != another
        with pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))
