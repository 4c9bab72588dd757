"""``python -m benches.rows [--rows 100000] [--bodies 2000] [--no-blocks] [--no-folds] [--keep FOLDER] [--url URL]``:
what reading many stored rows needs.

Pairs of :mod:`benches.copies.pairs` are scored and stored by the worker's own code, with their bodies; from them on
rows are multiplied inside the database, without bodies, each with an id, a request hash and a time of its own, evenly
over the last day. The worker's blocks are made of them (``--no-blocks``: not, as in a store of an earlier release), and
its folds are kept (``--no-folds``: not). With ``--keep`` the rows stay in a folder, and another run uses them: its
commands see the time of then.
Then each command runs as a process of its own: seconds, processor time (``wait4``) and the peak
of its resident memory (``VmHWM``) are the kernel's. Printed too are bytes a row, with bodies and without. With the URL
of a PostgreSQL database the rows are in a schema ``rows_bench`` of it, which is dropped first and last; bytes are then
not printed, and the server's processor time is not in what is. Linux alone. Nothing here asserts.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benches.copies.pairs import pairs
from shadowlane.columns import KeptFold
from shadowlane.config import Config, ScoreConfig
from shadowlane.gate.keeping import keep
from shadowlane.score import Scorer
from shadowlane.store import open_store
from shadowlane.store.schema import connect

_BATCH = 64
_DAY_NS = 86_400 * 10**9
_ROOT = Path(__file__).parents[2]
_COMMANDS = (("gate", "--json"), ("report", "--json"), ("status", "--json"))


_MADE = "made.json"
"""In the folder of ``--keep``: what is there, and when it was made."""

# The peak that ``wait4`` gives is the spawning process's too, where that was larger.
_CHILD = """
import sys
import time
real, late = time.time_ns, int(sys.argv[2])
time.time_ns = lambda: real() - late
from shadowlane.cli import main
code = main(sys.argv[3:])
with open("/proc/self/status") as own, open(sys.argv[1], "w") as file:
    file.write(own.read())
sys.exit(code)
"""


class Cost(NamedTuple):
    """What one command took."""

    seconds: float
    processor_s: float
    peak_mib: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="in the store when it is read")
    parser.add_argument("--bodies", type=int, default=2000, help="of them scored and stored one by one, with bodies")
    parser.add_argument("--folder", type=Path, help="where the database is made (default: a temporary folder)")
    parser.add_argument("--keep", type=Path, help="a folder whose rows stay, and are used when they are there")
    parser.add_argument("--no-blocks", action="store_true", help="leave rows as rows")
    parser.add_argument("--no-folds", action="store_true", help="keep no folds")
    parser.add_argument("--url", help="of a PostgreSQL database in the stead of a file: postgresql://...")
    options = parser.parse_args()
    if not _BATCH <= options.bodies <= options.rows:
        parser.error(f"--bodies: at least {_BATCH}, and at most --rows")
    with contextlib.ExitStack() as stack:
        given = options.keep
        folder = given or Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        made = folder / _MADE
        known = json.loads(made.read_text(encoding="utf-8")) if made.exists() else None
        now_ns = time.time_ns() if known is None else int(known["now_ns"])
        config = _config(folder, options.url)
        look = _Look(config, folder, options.rows, not options.no_blocks, not (options.no_blocks or options.no_folds))
        if options.url:
            from benches.rows import server

            with server.own_schema(config.store):
                _store_whole(config, options.bodies)
                server.multiply(config.store, options.rows, *_times(options.rows, now_ns))
                look.measure(now_ns)
            return 0
        if known is None:
            _store_whole(config, options.bodies)
            size = _bytes(config) / options.bodies
            print(f"{size:,.0f} bytes a row with bodies ({options.bodies:,} rows)", flush=True)
            _multiply(config, options.rows, now_ns)
            if options.rows > options.bodies:
                size = _thin(config)
                print(f"{size:,.0f} bytes a row without bodies, indexes with it ({options.rows:,} rows)", flush=True)
            made.write_text(json.dumps({"rows": options.rows, "now_ns": now_ns}), encoding="utf-8")
        elif known["rows"] != options.rows:
            parser.error(
                f"--keep: {folder} holds {known['rows']:,} rows; give --rows {known['rows']}, or another folder"
            )
        look.measure(now_ns)
    return 0


class _Look(NamedTuple):
    """What is measured."""

    config: Config
    folder: Path
    rows: int
    blocks: bool
    folds: bool

    def measure(self, now_ns: int) -> None:
        if self.blocks:
            _roll_up(self.config)
        if self.folds:
            _keep_folds(self.config, now_ns)
        for command in _COMMANDS:
            cost = measured(command, self.folder, time.time_ns() - now_ns)
            print(
                f"{' '.join(command):16} {self.rows:>12,} rows {cost.seconds:9.1f} s "
                f"{cost.processor_s:9.1f} s of processor {cost.peak_mib:8.0f} MiB at its peak",
                flush=True,
            )


def _keep_folds(config: Config, now_ns: int) -> None:
    """As a worker would have, up to its last block."""
    with open_store(config.store) as store, open_store(config.store, read_only=True) as reads:
        begun, most, last = time.process_time(), 0.0, time.process_time()
        for made in keep(config, {}, reads, now_ns):
            if isinstance(made, KeptFold):
                store.keep_fold(made)
            now = time.process_time()
            last, most = now, max(most, now - last)
        n, size = store._db.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM folds").fetchone()
    print(
        f"{n} folds of {size / 1e6:.1f} MB: {last - begun:.1f} s of processor, {most:.2f} s at most for a piece",
        flush=True,
    )


def _config(folder: Path, url: str | None) -> Config:
    store = {"url": url, "schema": "rows_bench"} if url else {"url": f"sqlite:///{folder / 'pairs.db'}"}
    made = {
        "lane": {"directory": str(folder / "lane"), "worker": "external"},
        "store": {**store, "max_bytes": 10**14},
        "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
    }
    (folder / "shadowlane.json").write_text(json.dumps(made), encoding="utf-8")
    return Config.from_dict(made)


def _store_whole(config: Config, count: int) -> None:
    scorer, drawn = Scorer(ScoreConfig(embedder="lexical")), pairs()
    with open_store(config.store) as store:
        store.set_epoch("bench", {"candidate": 0})
        while count:
            batch = list(itertools.islice(drawn, min(_BATCH, count)))
            store.save(scorer.score(batch))
            count -= len(batch)


def _multiply(config: Config, rows: int, now_ns: int) -> None:
    """Copy the first rows until there are so many, each with a time of its own."""
    db = connect(config.store.path, read_only=False)
    names = [name for _, name, *_ in db.execute("PRAGMA table_info(pairs)")]
    start, step = _times(rows, now_ns)
    own = {
        "id": "id + :n",
        "shadow_id": "printf('0190f3c2-7c1e-7d44-9f3b-%012x', id + :n)",
        "req_hash": "printf('%032x', id + :n)",
        "started_ns": f"{start} + (id + :n) * {step}",
    }
    copied = ", ".join(own.get(name, name) for name in names)
    # Before there are more: a large table whose indexed values change is left with holes.
    db.execute("UPDATE pairs SET started_ns = ? + id * ?", (start, step))
    have = whole = db.execute("SELECT max(id) FROM pairs").fetchone()[0]
    while have < rows:
        wanted = min(whole, rows - have)
        statement = f"INSERT INTO pairs ({', '.join(names)}) SELECT {copied} FROM pairs WHERE id <= :wanted"
        db.execute(statement, {"n": have, "wanted": wanted})
        have += wanted
    db.close()


def _times(rows: int, now_ns: int) -> tuple[int, int]:
    """Of the first row, and from row to row."""
    return now_ns - _DAY_NS + 60 * 10**9, (_DAY_NS - 120 * 10**9) // rows


def _roll_up(config: Config) -> None:
    with open_store(config.store) as store:
        begun = last = time.process_time()
        most = 0.0
        while store.roll_up():
            now = time.process_time()
            last, most = now, max(most, now - last)
        rows, size, blocks = store._db.execute("SELECT sum(n), sum(bytes), count(*) FROM blocks").fetchone()
    took = 1e6 * (last - begun) / rows
    print(
        f"{blocks:,} blocks of {rows:,} rows: {size / rows:.1f} bytes a row, {took:.1f} µs of processor a row, "
        f"{most:.2f} s at most for one",
        flush=True,
    )


def _bytes(config: Config) -> int:
    """Of the database, when all is in its one file."""
    db = connect(config.store.path, read_only=False)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return config.store.path.stat().st_size


def _thin(config: Config) -> float:
    """Bytes of one row and of its entries in the indexes: all pages but those of the bodies, over the rows."""
    whole = _bytes(config)
    db = connect(config.store.path, read_only=True)
    try:
        rows = db.execute("SELECT count(*) FROM pairs").fetchone()[0]
        bodies = db.execute("SELECT sum(length(packed)) FROM bodies").fetchone()[0] or 0
    finally:
        db.close()
    return (whole - int(bodies)) / int(rows)


def measured(command: Sequence[str], folder: Path, late_ns: int = 0) -> Cost:
    """One command of the command line, in a process of its own whose clock is so late; its output is thrown away."""
    environment = os.environ | {"PYTHONPATH": str(_ROOT / "python")}
    status_file = folder / "status"
    own = [sys.executable, "-c", _CHILD, str(status_file), str(late_ns)]
    arguments = [*own, *command, "--config", str(folder / "shadowlane.json")]
    output = os.open(os.devnull, os.O_WRONLY)
    begun = time.monotonic()
    pid = os.posix_spawn(sys.executable, arguments, environment, file_actions=[(os.POSIX_SPAWN_DUP2, output, 1)])
    os.close(output)
    _, status, used = os.wait4(pid, 0)
    seconds = time.monotonic() - begun
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    lines = status_file.read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return Cost(seconds, used.ru_utime + used.ru_stime, peak / 1024)


if __name__ == "__main__":
    sys.exit(main())
