"""``python -m tools.wheel_check WHEEL [PYTHON...]``: install the wheel in a clean environment of each Python, use it.

One exchange goes the whole way: middleware, ring, worker, an HTTP server as shadow, store, report. No Rust is needed:
the environment's PATH holds the interpreter and the system's programs only. Without PYTHON it is every ``python3.10``
to ``python3.14`` that runs here; one that does not is said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.dependencies import EXTENSION, ROOT, crates, host

USE = '''
import asyncio, json, select, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

class Shadow(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "12")
        self.end_headers()
        self.wfile.write(b"shadow says.")
    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Shadow)
threading.Thread(target=server.serve_forever, daemon=True).start()
work = Path(sys.argv[1])
config = work / "shadowlane.toml"
config.write_text(f"""
[lane]
directory = "{work}/lane"
idle_exit_s = 0.2
[sampling]
ratio = 1.0
[score]
embedder = "lexical"
groups = false
[shadows.candidate]
url = "http://127.0.0.1:{server.server_port}"
""")

from shadowlane.asgi import ShadowMiddleware

async def prod(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"prod says."})

async def request(app):
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        pass
    scope = {"type": "http", "method": "GET", "path": "/hello", "raw_path": b"/hello", "query_string": b"",
             "headers": [(b"host", b"gateway")]}
    await app(scope, receive, send)

app = ShadowMiddleware(prod, config=str(config))
asyncio.run(request(app))
deadline = time.monotonic() + 60
while True:
    done = subprocess.run([sys.executable, "-m", "shadowlane", "status", "--json", "--config", str(config)],
                          capture_output=True, text=True, check=True)
    status = json.loads(done.stdout)
    if status["shadows"]["candidate"]["answered"] == 1:
        break
    assert time.monotonic() < deadline, done.stdout
    select.select([], [], [], 0.1)
app.lane.close()
subprocess.run([sys.executable, "-m", "shadowlane", "report", "--config", str(config)], check=True,
               stdout=subprocess.DEVNULL)
pid = status["worker"]["pid"]
print(f"Python {sys.version.split()[0]}: one exchange mirrored, scored, stored")
'''


PACKAGE = "python/shadowlane"
VERSIONS = ("python3.10", "python3.11", "python3.12", "python3.13", "python3.14")


def runs(python: str) -> bool:
    """Whether there is such an interpreter. (A version manager's shim is found and then fails.)"""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def check_bill(wheel: Path) -> None:
    """The wheel's own bill of materials (PEP 770) names every crate that the extension is made of."""
    wanted = {(crate.name, crate.version) for crate in crates(host()).values() if crate.name != EXTENSION}
    with zipfile.ZipFile(wheel) as archive:
        files = [
            name for name in archive.namelist() if ".dist-info/sboms/" in name and name.endswith(".cyclonedx.json")
        ]
        bills = [json.loads(archive.read(name)) for name in files]
    found = {(part["name"], part["version"]) for one in bills for part in one["components"]}
    if not bills or wanted - found:
        missing = ", ".join(f"{name} {version}" for name, version in sorted(wanted - found)) if bills else "everything"
        raise SystemExit(f"{wheel.name}: its bill of materials lacks {missing}")
    print(f"{wheel.name}: its bill of materials names all {len(wanted)} crates")


def check_files(wheel: Path) -> None:
    """The wheel holds every file of the package that is no code: pages, texts, licences."""
    listed = subprocess.run(["git", "ls-files", "-z", PACKAGE], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = {
        name.removeprefix("python/")
        for name in listed.stdout.split("\0")
        if name and not name.endswith((".py", ".pyi"))
    }
    with zipfile.ZipFile(wheel) as archive:
        missing = sorted(wanted - set(archive.namelist()))
    if missing or not wanted:
        raise SystemExit(f"{wheel.name}: lacks {', '.join(missing) or 'everything'}")
    print(f"{wheel.name}: holds all {len(wanted)} files beside the code")


def check(wheel: Path, python: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder + "/env"], check=True)
        binary = Path(folder) / "env" / "bin" / "python"
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment["PATH"] = f"{binary.parent}:/usr/bin:/bin"
        install = [str(binary), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{wheel}[worker]"]
        subprocess.run(install, check=True, env=environment)
        subprocess.run([str(binary), "-c", USE, folder], check=True, env=environment, cwd=folder)


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    wanted = sys.argv[2:] or VERSIONS
    found = [python for python in wanted if runs(python)]
    for python in wanted:
        if python not in found:
            print(f"{python}: not on this machine, not checked")
    if not found or (sys.argv[2:] and len(found) < len(wanted)):
        return 1
    check_bill(Path(sys.argv[1]))
    check_files(Path(sys.argv[1]))
    for python in found:
        check(Path(sys.argv[1]).resolve(), python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
