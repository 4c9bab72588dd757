"""Samples under the names of the table, as families that Prometheus' client can write.

Invariant: a name that is not in the table, or other labels than it says there, are an error; ``lane`` is the first
label of all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.samples import Exemplar

from .names import METRICS, Named

__all__ = ["Bucket", "Families"]

_MOST_EXEMPLAR = 128
"""Characters of an exemplar's names and values together (OpenMetrics 1.0, Exemplars)."""

_Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily


class Bucket(NamedTuple):
    """One bucket of a histogram: how many values were in it alone, and one of them, said by its labels."""

    bound: str
    n: int
    labels: dict[str, str] | None = None
    value: float = 0.0
    at_s: float = 0.0


class Families:
    """The samples of one scrape of one lane."""

    def __init__(self, lane: str) -> None:
        self._lane = lane
        self._families: dict[str, _Family] = {}

    def add(self, name: str, value: float, *labels: str) -> None:
        """A counter's or a gauge's value."""
        family = self._family(METRICS[name], labels)
        assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
        family.add_metric([self._lane, *labels], value)

    def info(self, name: str, *values: str) -> None:
        """An info's label values, in the order of the table."""
        named = METRICS[name]
        family = self._family(named, values)
        assert isinstance(family, InfoMetricFamily)
        family.add_metric([self._lane], dict(zip(named.labels, values, strict=True)))

    def histogram(self, name: str, buckets: Iterable[Bucket], total: float, *labels: str) -> None:
        """Buckets by rising bound, the last one without (``+Inf``), and the sum of all values."""
        family = self._family(METRICS[name], labels)
        assert isinstance(family, HistogramMetricFamily)
        family.add_metric([self._lane, *labels], _summed(buckets), total)

    def _family(self, named: Named, labels: Sequence[str]) -> _Family:
        if len(labels) != len(named.labels):
            raise ValueError(f"{named.name}: labels {named.labels} got {labels}")
        family = self._families.get(named.name)
        return self._begin(named) if family is None else family

    def _begin(self, named: Named) -> _Family:
        labels = ["lane", *named.labels]
        family: _Family
        if named.kind == "counter":
            family = CounterMetricFamily(named.name.removesuffix("_total"), named.text, labels=labels)
        elif named.kind == "histogram":
            family = HistogramMetricFamily(named.name, named.text, labels=labels)
        elif named.kind == "info":
            family = InfoMetricFamily(named.name.removesuffix("_info"), named.text, labels=["lane"])
        else:
            family = GaugeMetricFamily(named.name, named.text, labels=labels)
        self._families[named.name] = family
        return family

    def all(self) -> list[Metric]:
        """In the order of the table."""
        return [family for name in METRICS if (family := self._families.get(name)) is not None]


def _summed(buckets: Iterable[Bucket]) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    """Counts up to each bound, as the exposition wants them."""
    found: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    n = 0
    for bucket in buckets:
        n += bucket.n
        exemplar = _exemplar(bucket)
        found.append((bucket.bound, float(n)) if exemplar is None else (bucket.bound, float(n), exemplar))
    return found


def _exemplar(bucket: Bucket) -> Exemplar | None:
    labels = bucket.labels
    if not labels or not math.isfinite(bucket.value):
        return None
    if sum(map(len, (*labels.keys(), *labels.values()))) > _MOST_EXEMPLAR:
        return None
    return Exemplar(labels, bucket.value, bucket.at_s)
