"""The drawings: well-formed and inside their figure, whatever the numbers."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.render.svg import histogram, latency_curves
from shadowlane.report.stats import stats_of
from tests.support.lanes import columns

TARGETS = {"stable": 0.4, "critical": 0.6, "mean_delta_s": 0.45}


@pytest.mark.parametrize("values", [[0.0], [0.45], [2.0], [0.0, 2.0], [0.3] * 100_000])
def test_any_histogram_is_well_formed(values: list[float]) -> None:
    (block,) = stats_of([columns(len(values), delta_s=values)]).deltas.data()
    drawing = ElementTree.fromstring(histogram(block, TARGETS))
    assert len(drawing.findall("rect")) == len(set(values))
    for rect in drawing.findall("rect"):
        assert float(rect.attrib["height"]) > 0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**13), st.integers(1, 10**13)), min_size=1, max_size=20),
)
def test_any_latencies_are_drawn_inside_the_figure(times: list[tuple[int, int]]) -> None:
    prod, shadow = zip(*times, strict=True)
    data = stats_of([columns(len(times), prod_ns=prod, shadow_ns=shadow)]).latency.data()
    assert data is not None
    drawing = ElementTree.fromstring(latency_curves(data))
    for line in drawing.findall("polyline"):
        for point in line.attrib["points"].split():
            x, y = (float(part) for part in point.split(","))
            assert 0 <= x <= 560
            assert 0 <= y <= 270
