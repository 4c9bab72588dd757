"""``shadowlane alert --test``: one alert that says that it is a test, to each receiver, and what each answered.

Invariant: nothing is remembered of it, and an answer is shown without the secrets that it may repeat.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

from ..config import Config
from ..config.errors import advised
from ..errors import ConfigError
from ..render.text import Line, print_json, print_lines
from .delivery import Answer, Receiver
from .incidents import Incident, Message

__all__ = ["run_test"]


def run_test(config: Config, name: str = "", as_json: bool = False) -> int:
    """Send one test alert to ``name``, or to all; returns 0 when each was taken, 1 when not, 2 when one could not be
    sent for want of what its entry names. Raises :class:`~shadowlane.errors.ConfigError` when there is none to tell."""
    if not config.alerts:
        raise ConfigError('alerts: none is configured; add [[alerts]] with a kind, such as "slack", and its url_env')
    known = [alert.called for alert in config.alerts]
    if name and name not in known:
        why = advised(name, known, f"no alerts of this name; known: {', '.join(known)}")
        raise ConfigError(f"--test = {name!r}: {why}")
    receivers: dict[str, Receiver] = {}
    unsent: dict[str, Answer] = {}
    for position, alert in enumerate(config.alerts):
        if name in ("", alert.called):
            try:
                receivers[alert.called] = Receiver(alert, position)
            except ConfigError as error:
                unsent[alert.called] = Answer(False, f"not sent: {error}", heard=False)
    said = asyncio.run(_tell(config, list(receivers.values())))
    answers = {**unsent, **dict(zip(receivers, said, strict=True))}
    told = [(alert, answers[alert.called]) for alert in config.alerts if alert.called in answers]
    if as_json:
        print_json({alert.called: _data(alert.kind, answer) for alert, answer in told})
    else:
        print_lines([_line(f"{alert.called} ({alert.kind})", answer) for alert, answer in told])
    return 2 if unsent else int(not all(answer.taken for answer in said))


def _line(who: str, answer: Answer) -> Line:
    said = "took it" if answer.taken else "DID NOT TAKE IT"
    return f"{who}: {said}: {answer.text}", "good" if answer.taken else "bad"


def _data(kind: str, answer: Answer) -> dict[str, Any]:
    return {"kind": kind, "taken": answer.taken, "answer": answer.text}


async def _tell(config: Config, receivers: list[Receiver]) -> list[Answer]:
    now = time.time()
    incident = Incident(
        id=f"test-{int(now)}",
        lane=config.lane.name,
        source=socket.gethostname(),
        shadow="",
        rule="test",
        name="test",
        severity="info",
        first_seen=now,
    )
    message = Message(event="firing", incident=incident, put_at=now)
    try:
        return await asyncio.gather(
            *(one.post(one.request(message, config.serve, now, test=True), now) for one in receivers)
        )
    finally:
        for one in receivers:
            await one.close()
