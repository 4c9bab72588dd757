"""``python tools/first_hour.py WHEEL [NAME...]``: what a new user of a gateway meets, from the wheel to the report.

For FastAPI, LiteLLM's proxy and Django (or those named): a clean environment without a compiler on its PATH, the
program that ``docs/operate/gateways.md`` prints, ``shadowlane init``, and then a wrong model name, a typo in the
configuration, and health checks beside real traffic. Every command's output is printed and checked. The services behind
the gateway and the candidate are small ones of this file, on loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[1] / "docs" / "operate" / "gateways.md"
COMPILERS = ("cc", "c++", "gcc", "g++", "clang", "clang++", "rustc", "cargo", "cmake")
KEY = "sk-" + "0123456789abcdef" * 4
MODEL, WRONG = "small", "smal"
CHATS, PROBES = 30, 60
PATIENCE_S = 120.0
QUESTIONS = ("How high is the deposit?", "How long may a ride last?", "Who pays for a broken lock?")


class Framework(NamedTuple):
    """One gateway: its section of the page, what pip installs for it, and its probe's path."""

    section: str
    packages: tuple[str, ...]
    health: str


FRAMEWORKS = {
    "fastapi": Framework("FastAPI", ("fastapi", "uvicorn"), "/healthz"),
    "litellm": Framework("LiteLLM", ("litellm[proxy]",), "/health/liveliness"),
    "django": Framework("Django", ("django", "uvicorn"), "/healthz"),
}


class Service(ThreadingHTTPServer):
    """A chat service that serves one model and refuses every other as such services do."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Chat)
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news: gateways and workers are stopped while their connections are open."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Chat(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(self.path)
        if body.get("model") != MODEL:
            message = f"The model `{body.get('model')}` does not exist"
            self._answer(404, {"error": {"message": message, "code": "model_not_found"}})
            return
        text = f"You asked: {body['messages'][-1]['content']}"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL}
        self._answer(200, {**head, "choices": [choice], "usage": usage})

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self._answer(404, {"error": {"message": "Not Found"}})

    def _answer(self, status: int, data: object) -> None:
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def snippet(section: str) -> tuple[str, list[str]]:
    """The program of a section of the page, and the command that starts it."""
    text = re.search(rf"^## {section}\n(.*?)(?=^## )", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert text, f"{PAGE} has no section {section}"
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text[1], re.MULTILINE | re.DOTALL)
    [program] = [block for language, block in blocks if language == "python"]
    [command] = [block for language, block in blocks if not language]
    return program, command.split()


class User:
    """A new user: a folder, a clean environment, and what is typed there."""

    def __init__(self, folder: Path, framework: Framework, python: str) -> None:
        self.folder = folder
        self.framework = framework
        subprocess.run([python, "-m", "venv", str(folder / "env")], check=True)
        binaries = folder / "env" / "bin"
        kept = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "CC", "CXX")
        }
        (folder / "run").mkdir(mode=0o700)
        self.environment = {
            **kept,
            "PATH": str(binaries),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "LITELLM_MASTER_KEY": KEY,
            "COLUMNS": "100",
        }
        for name in ("SHADOWLANE_CONFIG", "XDG_STATE_HOME"):
            self.environment.pop(name, None)
        found = [name for name in COMPILERS if shutil.which(name, path=self.environment["PATH"])]
        assert not found, f"the environment has a compiler on its PATH: {found}"
        self.program, self.command = snippet(framework.section)
        (folder / "gateway.py").write_text(self.program)

    def types(
        self, *words: str, code: int = 0, says: tuple[str, ...] = (), lines: int = 40, quiet: bool = False
    ) -> str:
        """Run a command, print what the user sees, check its exit code and that it says all of ``says``."""
        done = subprocess.run(
            [str(self.folder / "env" / "bin" / words[0]), *words[1:]],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=1800, check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        shown = output.rstrip().splitlines()
        if not quiet:
            print(
                f"\n$ {' '.join(words)}",
                *shown[:lines],
                *(["..."] if len(shown) > lines else []),
                sep="\n  ",
                flush=True,
            )
        assert done.returncode == code, f"{words}: exit code {done.returncode}, not {code}:\n{output}"
        flat = " ".join(output.split())
        for part in says:
            assert part in flat, f"{words}: does not say {part!r}:\n{output}"
        return done.stdout

    def edits(self, before: str, after: str) -> None:
        """Replace a text of the configuration."""
        file = self.folder / "shadowlane.toml"
        text = file.read_text()
        assert before in text, f"{before!r} is not in:\n{text}"
        file.write_text(text.replace(before, after, 1))
        print(f"\n# edits shadowlane.toml: {before!r} -> {after!r}", flush=True)

    @contextlib.contextmanager
    def starts(self, command: list[str] | None = None) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
        """The gateway, started by the page's command, or by another one."""
        port = free_port()
        command = command or self.command
        settings = dict(word.split("=", 1) for word in command if "=" in word)
        server, *rest = [word for word in command if "=" not in word]
        log = self.folder / "gateway.log"
        words = [str(self.folder / "env" / "bin" / server), *rest, "--port", str(port), "--log-level", "warning"]
        print(f"\n$ {' '.join(command)}", flush=True)
        with log.open("wb") as out:
            process = subprocess.Popen(
                words, cwd=self.folder, env={**self.environment, **settings}, stdout=out, stderr=out
            )
        try:
            yield process, f"http://127.0.0.1:{port}", log
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def asks(self, url: str) -> None:
        """Questions of users, and what a load balancer asks beside them."""
        for number in range(PROBES):
            assert fetch(url + self.framework.health) == 200
            if number < CHATS:
                question = {"role": "user", "content": QUESTIONS[number % len(QUESTIONS)]}
                assert fetch(url + "/v1/chat/completions", {"model": MODEL, "messages": [question]}) == 200

    def settled(self, copies: int) -> dict[str, Any]:
        """The status when all copies are accounted for."""

        def done() -> dict[str, Any] | None:
            status: dict[str, Any] = json.loads(self.types("shadowlane", "status", "--json", quiet=True))
            one = status["shadows"].get("candidate", {})
            finished = one.get("answered", 0) + sum(one.get("failed", {}).values())
            return status if status["mirrored"] >= copies and finished >= copies else None

        status = until(done, f"{copies} copies to be stored")
        assert status["accounting"]["holds"], status["accounting"]
        return status


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s for {what}"
        select.select([], [], [], 0.3)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def fetch(url: str, body: object = None) -> int:
    """The status of an answer; 0 where there was none."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, data, headers), timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def begins(user: User, name: str, wheel: Path, prod: Service, shadow: Service) -> None:
    """Install, init, doctor."""
    start = time.monotonic()
    user.types(
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        f"{wheel}[worker,semantic]",
        *user.framework.packages,
    )
    print(f"# installed in {time.monotonic() - start:.0f} s, without a compiler", flush=True)
    upstream = f"{{model: openai/{MODEL}, api_base: '{prod.url}/v1', api_key: none}}"
    (user.folder / "litellm.yaml").write_text(f"model_list:\n  - model_name: {MODEL}\n    litellm_params: {upstream}\n")
    user.types(
        "shadowlane", "init", "--gateway", name, "--provider", "openai", "--shadow-url", shadow.url, "--model", MODEL,
        says=("shadowlane.toml: written", "shadowlane doctor --try"),
    )  # fmt: skip
    user.types("shadowlane", "init", code=2, says=("--force",))
    user.edits("ratio = 0.05", "ratio = 1.0")
    user.edits("qps = 20.0", "qps = 500.0")
    user.types("shadowlane", "doctor", "--try", says=("POST /v1/chat/completions: 200 in", "You asked:"), lines=80)
    assert shadow.asked == ["/v1/chat/completions"], shadow.asked


def mistypes_the_model(user: User, shadow: Service) -> None:
    """A wrong model name: its words and the remedy everywhere, and HOLD."""
    remedy = ("The model `smal` does not exist", "set shadows.candidate.model")
    user.edits(f'model = "{MODEL}"', f'model = "{WRONG}"')
    user.types("shadowlane", "doctor", "--try", code=1, says=remedy, lines=80)
    with user.starts() as (process, url, log):
        wait_for(process, url + user.framework.health, log)
        user.asks(url)
        user.settled(CHATS)
        user.types("shadowlane", "status", says=remedy, lines=80)
        user.types("shadowlane", "gate", code=1, says=("HOLD", "never asked rightly", *remedy), lines=12)


def mistypes_a_field(user: User) -> None:
    """A typo in the file: the gateway does not start, and says the field and the one that was meant."""
    says = "qsp"
    user.edits("qps = 500.0", "qsp = 500.0")
    user.types("shadowlane", "doctor", code=2, says=(says, "qps"))
    with user.starts() as (process, _, log):
        until(lambda: process.poll() is not None, "the gateway to refuse the file")
        text = log.read_text(errors="replace")
        print("  ", *text.rstrip().splitlines()[-3:], sep="\n  ", flush=True)
        assert process.returncode != 0
        assert says in text
        assert "qps" in text
    user.edits("qsp = 500.0", "qps = 500.0")


def goes_right(user: User, shadow: Service) -> None:
    """The file as it should be: every question is compared, no health check is."""
    user.edits(f'model = "{WRONG}"', f'model = "{MODEL}"')
    user.types("shadowlane", "gate", "--restart")
    before = json.loads(user.types("shadowlane", "status", "--json", quiet=True))["mirrored"]
    shadow.asked.clear()
    with user.starts() as (process, url, log):
        wait_for(process, url + user.framework.health, log)
        user.asks(url)
        status = user.settled(before + CHATS)
        assert status["mirrored"] == before + CHATS, "health checks were mirrored"
        assert status["shadows"]["candidate"]["in_flight"] == 0, status["shadows"]
        assert shadow.asked == ["/v1/chat/completions"] * CHATS, shadow.asked
        user.types("shadowlane", "status", lines=80)
        user.types("shadowlane", "report", "--html", "report.html", says=("candidate",), lines=60)
        user.types("shadowlane", "gate", code=1, says=("HOLD",), lines=12)
    assert (user.folder / "report.html").stat().st_size > 1000


def calls_back(user: User, shadow: Service) -> None:
    """LiteLLM by a line of its own configuration, and nothing wrapped: the same questions are compared."""
    with (user.folder / "litellm.yaml").open("a") as file:
        file.write(callback_setting())
    before = json.loads(user.types("shadowlane", "status", "--json", quiet=True))["mirrored"]
    shadow.asked.clear()
    command = "CONFIG_FILE_PATH=litellm.yaml SHADOWLANE_CONFIG=shadowlane.toml uvicorn litellm.proxy.proxy_server:app"
    with user.starts(command.split()) as (process, url, log):
        wait_for(process, url + user.framework.health, log)
        user.asks(url)
        status = user.settled(before + CHATS)
        assert status["mirrored"] == before + CHATS
        assert shadow.asked == ["/v1/chat/completions"] * CHATS, shadow.asked


def callback_setting() -> str:
    """The page's lines for LiteLLM's own configuration."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(r"^## LiteLLM by a callback\n.*?^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{PAGE} has no lines for LiteLLM's callback"
    return found[1]


def wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until the gateway answers; fails with its log when it ends instead."""

    def answers() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")
        return fetch(url) == 200

    until(answers, "the gateway to answer")


def first_hour(name: str, wheel: Path, python: str) -> None:
    """One framework, from the wheel to the report."""
    print(f"\n===== {FRAMEWORKS[name].section}", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="first-hour-", ignore_cleanup_errors=True) as folder:
        prod, shadow = Service(), Service()
        try:
            user = User(Path(folder), FRAMEWORKS[name], python)
            begins(user, name, wheel, prod, shadow)
            mistypes_the_model(user, shadow)
            mistypes_a_field(user)
            goes_right(user, shadow)
            if name == "litellm":
                calls_back(user, shadow)
        finally:
            prod.shutdown()
            shadow.shutdown()
    print(f"\n===== {FRAMEWORKS[name].section}: good, {time.monotonic() - start:.0f} s", flush=True)


def main() -> int:
    names = sys.argv[2:] or list(FRAMEWORKS)
    if len(sys.argv) < 2 or set(names) - set(FRAMEWORKS):
        print(f"{__doc__}\nNAME is one of: {', '.join(FRAMEWORKS)}", file=sys.stderr)
        return 2
    for name in names:
        first_hour(name, Path(sys.argv[1]).resolve(), sys.executable)
    return 0


if __name__ == "__main__":
    sys.exit(main())
