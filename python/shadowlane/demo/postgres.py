"""A PostgreSQL server for the length of a demonstration: ``python -m shadowlane.demo.postgres --leave-with-parent``.

Takes the binaries that are installed, a free port on the loopback and a folder of its own, says the port on stdout, and
ends with SIGTERM or, asked for, with its standard input.

Invariant: server and folder are gone when this process has ended, but for its being killed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import ShadowlaneError
from ..render.text import print_error
from .processes import DemoError, terminable
from .serving import add_serving_options, say_port

__all__ = ["DEBIAN", "USER", "NoServerError", "server_folder"]

USER = "postgres"
"""The database's superuser, without a password, and the system's user that runs the server where we are root."""

DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian's packages put releases beside each other."""

_NEEDED = ("initdb", "pg_isready", "postgres")
_UP_S = 120.0
_END_S = 60.0
_POLL_S = 0.1
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "logging_collector": "off",
}


class NoServerError(ShadowlaneError):
    """PostgreSQL's server is not installed, or may not run here: says what to do."""

    exit_code = 2


def server_folder() -> Path:
    """The folder of PostgreSQL's binaries. Raises :class:`NoServerError`."""
    on_path = shutil.which("postgres")
    found = sorted(
        DEBIAN.glob("*/bin"), key=lambda folder: [int(part) for part in re.findall(r"\d+", folder.parts[-2])]
    )
    for folder in [*([Path(on_path).resolve().parent] if on_path else []), *reversed(found)]:
        if all((folder / name).is_file() for name in _NEEDED):
            _runner()
            return folder
    raise NoServerError(
        f"PostgreSQL's server is not installed: no folder has {', '.join(_NEEDED)}; install it (Debian: apt-get "
        "install postgresql), or put its folder on PATH"
    )


def _runner() -> str | None:
    """The user that the server runs as; ``None``: this one. It refuses to run as root."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER).pw_name
    except KeyError:
        raise NoServerError(
            f"PostgreSQL does not run as root, and there is no user {USER}: run this as another user, or make that one"
        ) from None


@contextlib.contextmanager
def _running(folder: Path, port: int, *, durable: bool) -> Iterator[subprocess.Popen[bytes]]:
    """The server, once it answers. Raises :class:`.DemoError`."""
    user = _runner()
    base = Path(tempfile.mkdtemp(prefix="shadowlane-demo-pg-"))
    try:
        if user is not None:
            shutil.chown(base, user)
        data = base / "data"
        init = [str(folder / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
        made = subprocess.run(  # noqa: S603 - the server's own binary
            [*init, "--no-sync"], stdout=subprocess.DEVNULL, stderr=sys.stderr, user=user, cwd=base, check=False
        )
        if made.returncode:
            raise DemoError(f"initdb: ended with code {made.returncode}")
        values = {**_OPTIONS, "fsync": "on" if durable else "off"}
        options = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
        server = subprocess.Popen(  # noqa: S603 - the same
            [str(folder / "postgres"), "-D", str(data), "-p", str(port), *options],
            stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, user=user, cwd=base,
        )  # fmt: skip
        try:
            _wait_until_up(folder, port, server)
            yield server
        finally:
            _end(server)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _wait_until_up(folder: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    ask = [str(folder / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", USER]
    deadline = time.monotonic() + _UP_S
    while subprocess.run(ask, check=False).returncode:  # noqa: S603 - the same
        if server.poll() is not None:
            raise DemoError(f"the server ended with code {server.returncode}")
        if time.monotonic() > deadline:
            raise DemoError(f"the server does not answer after {_UP_S:.0f} s")
        time.sleep(_POLL_S)


def _end(server: subprocess.Popen[bytes]) -> None:
    """SIGINT: sessions are cut. Then SIGQUIT, which asks for nothing."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is None:
            server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_END_S)
            return


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shadowlane.demo.postgres", description=__doc__)
    parser.add_argument("--durable", action="store_true", help="commit to the disk, for measurements")
    add_serving_options(parser)
    options = parser.parse_args()
    if options.leave_with_parent:
        threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        with terminable():
            return _serve(options.port, durable=options.durable)
    except KeyboardInterrupt:
        return 0
    except (ShadowlaneError, OSError) as error:
        print_error(str(error), "postgres")
        return getattr(error, "exit_code", 3)


def _serve(port: int, *, durable: bool) -> int:
    # Bound and never listening: the port is nobody else's, and the server may listen on it.
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", port))
        with _running(server_folder(), held.getsockname()[1], durable=durable) as server:
            say_port(held.getsockname()[1])
            raise DemoError(f"the server ended with code {server.wait()}")


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
