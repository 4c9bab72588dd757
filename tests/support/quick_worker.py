"""A worker whose minutes are two seconds: it deletes and looks for alerts so often. Its leases are as long as ever."""

from __future__ import annotations

import sys

from shadowlane.alerts import side
from shadowlane.cli import main
from shadowlane.worker import process

if __name__ == "__main__":
    process._PRUNE_EVERY_S = 1.0
    side._MINUTE_S, side._TOO_SOON_S, side._PAST_S = 2.0, 0.0, 0.0
    sys.exit(main(sys.argv[1:]))
