"""What ``shadowlane probe`` does: check, run with a progress bar, evaluate, show.

Invariants: everything that can be wrong in what the user gave is said before the first request; an interrupted run says
how it goes on; the exit code is 0 passed, 1 not passed, 2 wrong use or data, 3 not run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from .. import _core
from ..config import Config
from ..config.shown import shown_name
from ..config.variables import unset_remedy
from ..embedders import Embedder
from ..errors import ConfigError, ScoreError
from ..files import is_folder
from ..render.text import print_error, print_json, print_lines
from ..report.command import write_page
from ..worker.embedder import open_embedder
from .gold import read_gold
from .page import render_page
from .render import junit, render_verdict
from .runner import Plan, Target, run_probe
from .shape import Shape, parse_template
from .state import RunState
from .verdict import Targets, evaluate_runs

__all__ = ["add_options", "run_command"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``shadowlane probe``."""
    add = parser.add_argument
    add("gold", help="gold file: one JSON object a line with question, id, paraphrases, sections")
    for arm in ("prod", "shadow"):
        add(f"--{arm}", required=True, metavar="URL", help=f"address of {arm}")
        add(f"--{arm}-model", default="", metavar="NAME", help=f"model that {arm} is asked for")
        add(f"--{arm}-credential-env", default="", metavar="VARIABLE", help=f"bearer credential of {arm}")
    add("--path", default="", help="path of the request (default: the OpenAI chat endpoint); may hold {{question}}")
    add("--method", default="POST", help="POST or GET (default: POST)")
    add("--template", default=None, help='JSON body with {{question}}, {{seed}}, {{model}}; "@FILE" reads it')
    add("--text-pointer", default="", help="JSON pointer to the answer's text (default: recognised)")
    add("--citations-pointer", default="", help="JSON pointer to the answer's citations (default: recognised)")
    add("--paraphrases", type=int, default=3, metavar="N", help="wordings of each item (default: 3)")
    add("--paraphrase-url", default="", metavar="URL", help="OpenAI-compatible service that writes missing paraphrases")
    add("--paraphrase-model", default="", metavar="NAME")
    add("--paraphrase-credential-env", default="", metavar="VARIABLE")
    add("--seeds", default="1,2", help="seeds, separated by commas (default: 1,2)")
    add("--concurrency", type=int, default=4, help="requests out at a time, at each service (default: 4)")
    add("--qps", type=float, default=5.0, help="requests a second, at each service; 0: no limit (default: 5)")
    add("--timeout", type=float, default=60.0, metavar="SECONDS", help="deadline of a request (default: 60)")
    add("--embedder", default="wordllama", help="as score.embedder in the configuration (default: wordllama)")
    add("--embedder-url", default="", metavar="URL", help="for openai:MODEL: base of the OpenAI-compatible service")
    add("--embedder-credential-env", default="", metavar="VARIABLE", help="bearer credential of that service")
    add("--embedder-ca-file", default="", metavar="FILE", help="PEM bundle of that service's own authority")
    add("--embedder-tokens", type=float, default=1e7, metavar="N", help="most tokens it may embed in this run (1e7)")
    add("--max-delta-s", type=float, default=Targets().delta_s, help="mean ΔS of an accepted item (default: 0.45)")
    add("--max-spread", type=float, default=None, help="σ/μ of an item's ΔS beyond prod's own (default: only shown)")
    add("--min-citations", type=float, default=Targets().citation_match, help="share of prod's citations found again")
    add("--min-coverage", type=float, default=Targets().coverage, help="share of the expected sections cited")
    add("--min-accepted", type=float, default=1.0, help="share of the items that must be accepted (default: 1)")
    add("--state", default="", metavar="FILE", help="file to go on from (default: GOLD.probe-state)")
    add("--fresh", action="store_true", help="ask everything anew")
    add("--json", action="store_true", help="print JSON")
    add("--html", metavar="FILE", help="write the verdict as one HTML page")
    add("--junit", metavar="FILE", help="write the verdict as JUnit XML")


def run_command(options: argparse.Namespace) -> int:
    """Run the probe; returns the exit code.

    Raises :class:`~shadowlane.errors.ConfigError` and :class:`~shadowlane.errors.DataError` for what is wrong in the
    options or the gold file, :class:`~shadowlane.errors.ShadowlaneError` when a service gave no answer at all.
    """
    items, gold = read_gold(options.gold)
    plan = _plan(options, items)
    targets = _targets(options)
    for option in ("html", "junit"):
        _writable(option, getattr(options, option))
    path = Path(options.state or f"{options.gold}.probe-state")
    with contextlib.closing(_embedder(options)) as embedder:
        state = RunState(path, plan.fingerprint(gold), fresh=options.fresh)
        done = False
        try:
            with _progress() as progress:
                wordings, runs = asyncio.run(run_probe(plan, state, progress))
            verdict = evaluate_runs(items, wordings, runs, plan.seeds, embedder, targets)
            if options.html:
                page = render_page(verdict, title=Path(options.gold).name, prod=options.prod, shadow=options.shadow)
                write_page(Path(options.html), page)
            if options.junit:
                write_page(Path(options.junit), junit(verdict), option="--junit")
            done = True
        except KeyboardInterrupt:
            print_error(f"interrupted; {_kept(state)}: run the same command again")
            return 3
        except ScoreError as error:
            raise ScoreError(f"{_as_options(error)}; {_kept(state)}: run the same command again") from None
        finally:
            state.close(done=done)
    if options.json:
        print_json(msgspec.json.decode(msgspec.json.encode(verdict)))
    else:
        print_lines(render_verdict(verdict))
    return 0 if verdict.ok else 1


def _kept(state: RunState) -> str:
    return f"{len(state.runs)} answers are kept in {state.path}"


def _plan(options: argparse.Namespace, items: Any) -> Plan:
    template: Any = msgspec.UNSET
    if options.template is not None:
        template = parse_template(_text_of(options.template))
    seeds = _seeds(options.seeds)
    if not 1 <= options.paraphrases <= 100:
        raise ConfigError(f"--paraphrases = {options.paraphrases}: use 1 to 100")
    if not 1 <= options.concurrency <= 1000:
        raise ConfigError(f"--concurrency = {options.concurrency}: use 1 to 1000")
    if not (math.isfinite(options.qps) and 0 <= options.qps <= 1e5):
        raise ConfigError(f"--qps = {options.qps}: use 0 (no limit) to 100000 requests a second")
    writer = None
    if options.paraphrase_url:
        if not options.paraphrase_model:
            raise ConfigError("--paraphrase-model: missing; name the model that writes the paraphrases")
        writer = _target(options, "paraphrase", options.paraphrase_url)
    return Plan(
        items=items,
        prod=_target(options, "prod", options.prod),
        shadow=_target(options, "shadow", options.shadow),
        shape=Shape(options.method.upper(), options.path, template),
        seeds=seeds,
        wordings=options.paraphrases,
        concurrency=options.concurrency,
        qps=options.qps,
        text_pointer=options.text_pointer,
        citations_pointer=options.citations_pointer,
        paraphrases=writer,
    )


def _target(options: argparse.Namespace, name: str, url: str) -> Target:
    option = f"--{name}-url" if name == "paraphrase" else f"--{name}"
    variable = getattr(options, f"{name}_credential_env")
    shadow = {"url": url, "timeout_s": options.timeout, "credential_env": variable}
    try:
        # The rules for a shadow's address and deadline are the rules for these.
        checked = Config.from_dict({"shadows": {name: shadow}}).shadows[name]
    except ConfigError as error:
        problem = str(error).partition(f"shadows.{name}.")[2] or str(error)
        message = (
            problem.replace("timeout_s =", "--timeout =", 1)
            if problem.startswith("timeout_s")
            else f"{option}: {problem}"
        )
        raise ConfigError(message) from None
    _exported(name, variable)
    return Target(url, getattr(options, f"{name}_model"), checked.credential(), options.timeout)


def _exported(name: str, variable: str) -> None:
    if variable and not os.environ.get(variable):
        raise ConfigError(
            f"--{name}-credential-env = {shown_name(variable)}: the environment variable is not set; "
            f"{unset_remedy(variable)}, or leave the option out"
        )


_EMBEDDER_OPTIONS = {
    "embedder": "--embedder",
    "embedder_url": "--embedder-url",
    "embedder_credential_env": "--embedder-credential-env",
    "embedder_ca_file": "--embedder-ca-file",
    "embedder_tokens_per_day": "--embedder-tokens",
}
"""The option of each field of ``[score]`` that says how answers are embedded."""


def _embedder(options: argparse.Namespace) -> Embedder:
    """The embedder, checked by the configuration's rules. A service gets no text that is not sanitized."""
    fields = {field: getattr(options, option[2:].replace("-", "_")) for field, option in _EMBEDDER_OPTIONS.items()}
    _exported("embedder", options.embedder_credential_env)
    try:
        score = {**fields, "embedder_timeout_s": options.timeout}
        checked = Config.from_dict({"shadows": {"shadow": {"url": options.shadow}}, "score": score}).score
        return open_embedder(checked, clean=_core.Sanitizer().text)
    except (ConfigError, ScoreError) as error:
        raise type(error)(_as_options(error)) from None


def _as_options(error: Exception) -> str:
    """An error about fields of ``[score]``, as one about the options that stand for them here."""
    return re.sub(r"score\.(embedder\w*)", lambda found: _EMBEDDER_OPTIONS.get(found[1], found[0]), str(error))


def _targets(options: argparse.Namespace) -> Targets:
    for option, most in (
        ("max_delta_s", 2.0),
        ("max_spread", 10.0),
        ("min_citations", 1.0),
        ("min_coverage", 1.0),
        ("min_accepted", 1.0),
    ):
        value = getattr(options, option)
        if value is not None and not 0 <= value <= most:
            raise ConfigError(f"--{option.replace('_', '-')} = {value}: use 0 to {most:g}")
    return Targets(
        delta_s=options.max_delta_s,
        spread=options.max_spread,
        citation_match=options.min_citations,
        coverage=options.min_coverage,
        accepted=options.min_accepted,
    )


def _seeds(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--seeds = {text!r}: write whole numbers with commas between them, like 1,2") from None
    if len(set(seeds)) != len(seeds) or not all(-(1 << 63) <= seed < 1 << 63 for seed in seeds):
        raise ConfigError(f"--seeds = {text!r}: use different numbers of at most 64 bits")
    return seeds


def _text_of(given: str) -> str:
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--template = {given!r}: the file cannot be read: {error}") from None


def _writable(option: str, path: str | None) -> None:
    """A long run must not end at a folder that was never there."""
    if path is not None and not (is_folder(Path(path).parent) and os.access(Path(path).parent, os.W_OK)):
        raise ConfigError(f"--{option} = {path!r}: its folder is not there, or cannot be written; name another")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where a person looks and rich is installed; nothing elsewhere."""
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("asking", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
