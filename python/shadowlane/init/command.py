"""``shadowlane init``: writes the configuration, and says what to do with it.

Invariants: a file that is there is never touched without ``--force``; what is written was read back and checked first;
code and commands that are printed or written can be copied as they are, whatever the file's name is.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from ..config import Config
from ..errors import ConfigError
from ..render.text import print_file, print_lines
from .choices import GATEWAYS, PROVIDERS, Gateway, Provider

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

__all__ = ["add_options", "configuration", "run_init"]

_URL = "http://127.0.0.1:9001"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--gateway", choices=sorted(GATEWAYS), default="asgi", help="what serves (default: asgi)")
    parser.add_argument(
        "--provider", choices=sorted(PROVIDERS), default="openai", help="what its requests look like (default: openai)"
    )
    parser.add_argument("--shadow-url", metavar="URL", default=_URL, help=f"the candidate's base (default: {_URL})")
    parser.add_argument("--model", default="", help="the model that the candidate serves, when its name is another one")
    parser.add_argument(
        "--output", metavar="FILE", default="shadowlane.toml", help="default: shadowlane.toml; - prints it"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the file")


def run_init(options: argparse.Namespace) -> int:
    """Write the file and print the next steps. Returns 0.

    Raises :class:`~shadowlane.errors.ConfigError` when the file is there already or cannot be written, or an option's
    value is none that the configuration takes.
    """
    gateway, provider = GATEWAYS[options.gateway], PROVIDERS[options.provider]
    if options.model and not provider.has_model:
        raise ConfigError(
            f"--model = {options.model!r}: --provider {options.provider} has no model field; leave it out"
        )
    shown = _copyable("shadowlane.toml" if options.output == "-" else options.output)
    text = configuration(gateway, provider, shown, url=options.shadow_url, model=options.model)
    Config.from_dict(tomllib.loads(text))
    if options.output == "-":
        print_file(text)
        return 0
    _write(Path(options.output), text, force=options.force)
    code, commands = _code(gateway, shown), _commands(gateway, provider, shown)
    print_lines([(f"{options.output}: written; correct the candidate's url in it", "good")])
    if code:
        print_lines([("in the gateway:", "")])
        print_file(_indented(code))
    print_lines([("then:", "")])
    print_file(_indented(commands))
    return 0


def configuration(gateway: Gateway, provider: Provider, path: str, *, url: str = _URL, model: str = "") -> str:
    """The file's text."""
    tried, started, _ = _commands(gateway, provider, path)
    code = [f"#     {line}".rstrip() for line in (*_code(gateway, path), "")] if gateway.code else []
    head = [
        f"# shadowlane for {gateway.title}.",
        f"# Its requests are those of {provider.title}.",
        "#",
        *(["# Put the middleware into the gateway:", "#", *code] if code else []),
        f"# Start it: {started}",
        f"# Try it: {tried}",
        "# Then: shadowlane status, shadowlane report, shadowlane gate.",
    ]
    shadow = [f"url = {_quoted(url)}", "# The base: the request's path is put behind it, so /v1 stays out."]
    if provider.has_model:
        example = f"model = {_quoted(model)}" if model else '# model = "NAME"'
        shadow.append(f"{example:<40}# when the candidate's model has another name than prod's")
    return "\n".join(
        [
            *head,
            "",
            "[sampling]",
            "ratio = 0.05                            # of the eligible requests; below 1: the others are compared with",
            "",
            "[limits]",
            "qps = 20.0                              # hard cap over all processes of this host",
            "",
            "[routes]",
            *provider.routes,
            "",
            "[store]",
            '# url = "sqlite:///shadowlane.db"       # the default: beside this file; where its folder is read-only',
            "                                        # in $XDG_STATE_HOME/shadowlane, else ~/.local/state/shadowlane",
            "# max_age_days = 30.0",
            '# keep_bodies = "reservoir"             # bodies of a sample of the rows only',
            "",
            "[sanitize]",
            "# Secrets and personal data of known forms are taken out before anything is sent or stored.",
            '# secret_names = ["order_token"]        # fields whose text is a secret, whatever it looks like',
            "",
            "[shadows.candidate]",
            *shadow,
            *provider.shadow,
            "",
            "# [control]                             # a second prod: how far it differs from itself",
            '# url = "http://127.0.0.1:9000"',
            "",
        ]
    )


def _code(gateway: Gateway, path: str) -> list[str]:
    return [line.format(config=_quoted(path)) for line in gateway.code]


def _copyable(path: str) -> str:
    """The path as it stands in code and commands, where it is no option."""
    if not path.isprintable():
        raise ConfigError(
            f"--output = {path!r}: has characters that cannot be printed, and stands in commands to be copied; name "
            "another file"
        )
    return f"./{path}" if path.startswith("-") else path


def _quoted(value: str) -> str:
    """A TOML basic string (https://toml.io/en/v1.0.0#string), and Python's too."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _write(path: Path, text: str, *, force: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(path, flags, 0o644), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"{path}: is there already and was left as it is; name another file with --output, or overwrite it with "
            "--force"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; name another file with --output") from None


def _try(provider: Provider) -> tuple[str, str]:
    """What stands before and behind ``shadowlane doctor --try``."""
    return (f"echo '{provider.request}' | ", " -") if provider.request else ("", "")


def _commands(gateway: Gateway, provider: Provider, path: str) -> list[str]:
    """What to do next: try, start, look."""
    quoted = shlex.quote(path)
    at = "" if path == "shadowlane.toml" else f" --config {quoted}"
    before, behind = _try(provider)
    return [
        f"{before}shadowlane doctor --try{behind}{at}",
        gateway.start.format(config=quoted),
        f"shadowlane status{at}",
    ]


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"    {line}".rstrip() + "\n" for line in lines)
