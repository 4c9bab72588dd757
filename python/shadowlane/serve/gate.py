"""``/gate`` for Argo Rollouts' web metric, ``POST /gate/...`` for Flagger's webhooks.

Argo takes every status but 2xx for an error of the measurement, so ``/gate`` is always 200 and says HOLD where there
is no verdict; asked by POST, it reads what is deployed from the body, as Flagger's webhooks say it. Flagger takes up to
202 for yes (``pkg/controller/webhook.go``), shows what a failed check answered, and rolls back when a hook of type
``rollback`` says yes or one of type ``rollout`` says no too often. Invariant: what cannot be evaluated is a HOLD, which
neither promotes (409) nor rolls back (``check`` 200, ``rollback`` 409): an error of ours is no fault of the candidate.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from ..config import Config
from ..config.shown import without_keys
from ..errors import ShadowlaneError, describe
from ..render.text import json_line, printable
from ..report.verdicts import held_data, one_line, verdict_line
from .lane import LaneView

log = logging.getLogger("shadowlane.serve")

__all__ = ["MOST_BODY_BYTES", "gate_routes"]

MOST_BODY_BYTES = 64 * 1024
_CHECKSUM = re.compile(r"[!-~]{1,128}\Z")
_RELEASE = re.compile(r"[!-~]{0,508}\Z")
"""Namespace and name of a Kubernetes object: 253 characters each at most."""
_UNNAMED = "the release"
_ANSWERS: dict[str, Callable[[str], bool]] = {
    "promote": lambda verdict: verdict == "GRADUATE",
    "check": lambda verdict: verdict != "REJECT",
    "rollback": lambda verdict: verdict == "REJECT",
}


class _Asked(NamedTuple):
    """What a webhook says: whose verdict it wants, and what is deployed."""

    shadow: str | None = None
    release: str = ""
    checksum: str = ""
    problem: str = ""


def gate_routes(lane: LaneView) -> Iterable[web.RouteDef]:
    """The routes over one lane."""

    async def show(request: web.Request) -> web.Response:
        return _json(await _data(lane, _of_query(lane.config, request)))

    async def told(request: web.Request) -> dict[str, Any]:
        return await _data(lane, _of_payload(lane.config, _of_query(lane.config, request), await request.read()))

    async def show_for(request: web.Request) -> web.Response:
        return _json(await told(request))

    def hook(name: str) -> web.RouteDef:
        yes = _ANSWERS[name]

        async def answer(request: web.Request) -> web.Response:
            data = await told(request)
            return web.Response(status=200 if yes(data["verdict"]) else 409, text=printable(verdict_line(data)))

        return web.post(f"/gate/{name}", answer)

    return [web.get("/gate", show), web.post("/gate", show_for), *map(hook, _ANSWERS)]


async def _data(lane: LaneView, asked: _Asked) -> dict[str, Any]:
    """The verdicts that were asked for, after what is deployed was kept. Raises nothing."""
    if asked.problem:
        return held_data(lane.config.lane.name, asked.shadow, asked.problem)
    try:
        if asked.checksum:
            shadows = list(lane.config.shadows) if asked.shadow is None else [asked.shadow]
            await lane.note_release(shadows, asked.release, asked.checksum)
        return (await lane.evaluated()).data(asked.shadow)
    except ShadowlaneError as error:
        why = f"the checksum cannot be kept: {error}"
    except Exception as error:
        why = f"an error of ours: {describe(error)}; please report it"
        log.error("a verdict cannot be given: %s", describe(error))
    return held_data(lane.config.lane.name, asked.shadow, why)


def _of_query(config: Config, request: web.Request) -> _Asked:
    for name in request.query:
        if name != "shadow":
            return _Asked(problem=f"unknown parameter {_shown(name)}; known: shadow")
    named = request.query.getall("shadow", [])
    if len(named) > 1:
        return _Asked(problem="shadow is given more than once; give one, or none for all")
    return _of_shadow(config, named[0]) if named else _Asked()


def _of_shadow(config: Config, name: str) -> _Asked:
    if name not in config.shadows:
        return _Asked(problem=f"unknown shadow {_shown(name)}; known: {', '.join(config.shadows)}")
    return _Asked(shadow=name)


def _of_payload(config: Config, asked: _Asked, body: bytes) -> _Asked:
    """Flagger's ``{name, namespace, phase, checksum, metadata}``, read leniently: what is not there is not asked."""
    try:
        payload = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return asked._replace(problem=asked.problem or "the body is not JSON; send Flagger's payload, or none")
    if not isinstance(payload, dict):
        return asked._replace(problem=asked.problem or "the body is not a JSON object; send Flagger's payload, or none")
    metadata = payload.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    lane, shadow = _text(metadata, "lane"), _text(metadata, "shadow")
    if asked.problem:
        return asked
    if lane and lane != config.lane.name:
        return _Asked(problem=f"metadata.lane is {_shown(lane)}, and this is lane {config.lane.name}")
    if shadow:
        asked = _of_shadow(config, shadow)
    release = "/".join(filter(None, (_text(payload, "namespace"), _text(payload, "name"))))
    checksum = _text(payload, "checksum")
    if asked.problem or not checksum:
        return asked
    if not _CHECKSUM.match(checksum) or not _RELEASE.match(release):
        return asked._replace(problem="name, namespace and checksum are not those of a canary; send Flagger's payload")
    return asked._replace(release=release or _UNNAMED, checksum=checksum)


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""


def _shown(text: str) -> str:
    return repr(without_keys(one_line(printable(text))[:64]))


def _json(data: Mapping[str, Any]) -> web.Response:
    return web.Response(text=json_line(data) + "\n", content_type="application/json")
