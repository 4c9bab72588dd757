"""The command line. Exit codes: 0 good, 1 the answer is no, 2 wrong use or configuration, 3 failed to run."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence

from ..config.shown import without_keys
from ..errors import ShadowlaneError
from ..render.text import print_error
from .options import EXAMPLES, build_parser

__all__ = ["EXAMPLES", "build_parser", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = build_parser(arguments).parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except ShadowlaneError as error:
        text = without_keys(str(error), known=True)
        if getattr(options, "log_format", "") == "json":
            logging.getLogger("shadowlane").error("%s", text, extra={"event": "failed"})
        else:
            print_error(text)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output left: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 3
