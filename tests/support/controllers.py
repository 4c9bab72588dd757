"""Small stand-ins for release controllers: what each one's source says that it sends, and does with the answer.

Flagger: ``pkg/controller/webhook.go`` and ``scheduler.go`` (fluxcd/flagger 15bd6ad). Argo Rollouts:
``metricproviders/webmetric/webmetric.go``, ``utils/evaluate/evaluate.go`` and ``analysis/analysis.go``
(argoproj/argo-rollouts 9f8d111). KEDA: the metrics-api scaler's page (kedacore/keda-docs, 2.17). Each reads the
manifest that a user would apply; only the host of its URLs is exchanged.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

__all__ = ["Flagger", "Keda", "WebMetric"]


def _moved(url: str, base: str) -> str:
    """``url`` at another host; a user and password in it stay."""
    parts, there = urlsplit(url), urlsplit(base)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{there.netloc}" if user else there.netloc))


@dataclass
class Flagger:
    """One canary's analysis: :meth:`tick` is what Flagger does once an ``interval``."""

    canary: dict[str, Any]
    base: str
    checksum: str
    gate_token: str = ""
    weight: int = 0
    failed_checks: int = 0
    phase: str = "Progressing"
    events: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    """What was said with each no."""

    def tick(self) -> None:
        analysis = self.canary["spec"]["analysis"]
        if self.failed_checks >= analysis["threshold"]:
            self.phase = "Failed"
            return
        if self._any_yes("rollback"):
            self.phase = "Failed"
            return
        if self.weight and not self._all_yes("rollout", "Progressing"):
            self.failed_checks += 1
            return
        if self.weight < analysis["maxWeight"]:
            if self._all_yes("confirm-traffic-increase", "Progressing"):
                self.weight += analysis["stepWeight"]
            return
        self.phase = "Promoting" if self._all_yes("confirm-promotion", "Progressing") else "WaitingPromotion"

    def _hooks(self, kind: str) -> list[dict[str, Any]]:
        return [hook for hook in self.canary["spec"]["analysis"]["webhooks"] if hook["type"] == kind]

    def _any_yes(self, kind: str) -> bool:
        return any(self.call(hook, self.phase) is None for hook in self._hooks(kind))

    def _all_yes(self, kind: str, phase: str) -> bool:
        for hook in self._hooks(kind):
            if (error := self.call(hook, phase)) is not None:
                check = hook["type"] == "rollout"  # the events of the others do not have the error's text
                self.events.append(
                    f"external check {hook['name']} failed {error}" if check else f"waiting {hook['name']}"
                )
                self.bodies.append(error)
                return False
        return True

    def call(self, hook: dict[str, Any], phase: str) -> str | None:
        """``CallWebhook``: no error up to 202, else the body is the error."""
        meta = self.canary["metadata"]
        payload = {"name": meta["name"], "namespace": meta["namespace"], "phase": phase, "checksum": self.checksum}
        url = _moved(hook["url"].replace("GATE-TOKEN", self.gate_token), self.base)
        try:
            # Go's client sends a user and password of the URL as Basic; so does httpx.
            answer = httpx.post(url, json={**payload, "metadata": hook["metadata"]}, timeout=60, trust_env=False)
        except httpx.HTTPError as error:
            return str(error)
        return None if answer.status_code <= 202 else answer.text


@dataclass
class WebMetric:
    """One metric of an AnalysisTemplate: :meth:`measure` is one measurement, :attr:`phase` the run's assessment."""

    metric: dict[str, Any]
    base: str
    args: dict[str, str]
    counts: Counter[str] = field(default_factory=Counter)
    consecutive: Counter[str] = field(default_factory=Counter)
    last: str = ""

    def measure(self) -> str:
        """Successful, Failed, Inconclusive or Error."""
        phase = self._measured()
        self.counts[phase] += 1
        self.consecutive = Counter({phase: self.consecutive[phase] + 1})
        return phase

    def _measured(self) -> str:
        web = self.metric["provider"]["web"]
        headers = {one["key"]: self._given(one["value"]) for one in web.get("headers", [])}
        try:
            # ``ResolveMetricArgs`` writes the whole metric as JSON and puts the arguments into that.
            body = json.loads(self._given(json.dumps(web["jsonBody"]))) if "jsonBody" in web else None
            answer = httpx.request(
                web.get("method", "GET"),
                _moved(web["url"], self.base),
                headers=headers,
                json=body,
                timeout=web["timeoutSeconds"],
            )
            if not 200 <= answer.status_code < 300:
                return "Error"
            path = re.fullmatch(r"\{\$((?:\.\w+)*)\}", web["jsonPath"])
            assert path, "a JSONPath that this stand-in does not read"
            value = answer.json()
            for name in path[1].split(".")[1:]:
                value = value[name]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return "Error"
        self.last = value
        success, failure = (self._condition(name, value) for name in ("successCondition", "failureCondition"))
        if failure is True or (failure is None and success is False):
            return "Failed"
        return "Inconclusive" if success is False else "Successful"

    def _condition(self, name: str, value: Any) -> bool | None:
        if name not in self.metric:
            return None
        asked = re.fullmatch(r'result == "(\w+)"', self.metric[name])
        assert asked, "a condition that this stand-in does not read"
        return bool(value == asked[1])

    def _given(self, text: str) -> str:
        return re.sub(r"\{\{args\.(\w+)\}\}", lambda found: self.args[found[1]], text)

    @property
    def phase(self) -> str:
        """``assessMetricStatus``."""
        if self.consecutive["Error"] > self.metric.get("consecutiveErrorLimit", 4):
            return "Error"
        if self.counts["Inconclusive"] > self.metric.get("inconclusiveLimit", 0):
            return "Inconclusive"
        if self.counts["Failed"] > self.metric.get("failureLimit", 0):
            return "Failed"
        enough = self.metric.get("consecutiveSuccessLimit", 0)
        return "Successful" if enough and self.consecutive["Successful"] >= enough else "Running"


@dataclass
class Keda:
    """A ScaledObject's metrics-api trigger, with its TriggerAuthentication's token."""

    trigger: dict[str, Any]
    base: str
    token: str

    def replicas(self, least: int, most: int) -> int:
        """How many the autoscaler wants: the value over the target, rounded up, within the bounds."""
        data = self.trigger["metadata"]
        assert data["authMode"] == "bearer"
        answer = httpx.get(
            _moved(data["url"], self.base), headers={"Authorization": f"Bearer {self.token}"}, timeout=60
        )
        answer.raise_for_status()
        value = answer.json()
        for name in data["valueLocation"].split("."):  # GJSON's plain path
            value = value[name]
        return min(max(math.ceil(float(value) / float(data["targetValue"])), least), most)
