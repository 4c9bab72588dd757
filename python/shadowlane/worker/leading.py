"""The worker's part in what one worker does for all that write to one store: asks now and then whether it leads.

Invariant: where nobody else may write to the store, nothing is asked.
"""

from __future__ import annotations

import asyncio
import logging

from ..errors import StoreError, StoreLostError
from ..store import Store
from .fleet import FleetPart
from .writer import Writer

__all__ = ["lead"]

log = logging.getLogger("shadowlane.worker")

_EVERY_S = 4.0


async def lead(writer: Writer, store: Store, fleet: FleetPart) -> None:
    """Take part until cancelled, and tell ``fleet`` who leads. Raises :class:`~shadowlane.errors.StoreLostError`."""
    retention = store.leader("retention")
    if retention is None:
        await asyncio.Event().wait()
        return
    led: bool | None = None
    while True:
        try:
            leads = await writer.call(retention.take)
            fleet.leading = await writer.call(
                lambda: {task: seen for task, leader in store.leaders.items() if (seen := leader.look()) is not None}
            )
        except StoreLostError:
            raise
        except StoreError:  # what is wrong is said by who stores; the lease ends by itself
            leads, fleet.leading = retention.left_s > 0, {}
        if leads != led:
            text = "this worker deletes old pairs, for all" if leads else "another worker deletes old pairs"
            log.info("%s", text, extra={"event": "leads" if leads else "leads_no_more"})
        led = leads
        await asyncio.sleep(_EVERY_S)
