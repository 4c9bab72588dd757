"""A query is a view, and a view its query; what is not known is left out."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from shadowlane.config import Config
from shadowlane.config.shadows import ShadowConfig
from shadowlane.dashboard.wanted import FIELDS, MOST_PAGES, wanted_of

CONFIG = Config(shadows={name: ShadowConfig(url="http://127.0.0.1:9") for name in ("candidate", "other")})
_values = st.text(st.characters(exclude_categories=["Cs"]), max_size=220) | st.sampled_from(
    ("worst", "newest", "fact_flip", "stable", "any", "none", "fine", "2", "21", "0", "-1", "²")
)


@given(st.dictionaries(st.sampled_from((*FIELDS, "shadow", "page", "since_ns", "nonsense")), _values))
def test_any_query_is_a_view_whose_link_leads_back_to_it(query: dict[str, str]) -> None:
    wanted = wanted_of(query, CONFIG, 5)
    assert wanted.filter.since_ns == 5
    assert wanted.filter.shadow in CONFIG.shadows
    assert 1 <= wanted.page <= MOST_PAGES
    assert wanted.filter.band in ("", "fact_flip", "stable", "transitional", "critical", "unscored")
    assert wanted.filter.order in ("worst", "newest")
    again = dict(parse_qsl(urlsplit(wanted.href()).query, keep_blank_values=True))
    assert wanted_of(again, CONFIG, 5) == wanted


def test_a_link_replaces_what_it_says() -> None:
    wanted = wanted_of({"route": "POST /a", "page": "3", "shadow": "other"}, CONFIG, 0)
    href = wanted.href(page=1, tenant="a&b=c")
    assert dict(parse_qsl(urlsplit(href).query)) == {"route": "POST /a", "shadow": "other", "tenant": "a&b=c"}
