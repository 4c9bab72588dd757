"""Differing words are marked where that is cheap, and never at the price of a page that hangs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shadowlane.config import Config, StoreConfig
from shadowlane.config.shadows import ShadowConfig
from shadowlane.dashboard.pair import pair_page
from shadowlane.store import open_store
from tests.unit.store.pairs import make_pair

CONFIG = Config(shadows={"candidate": ShadowConfig(url="http://127.0.0.1:9")})


def page_of(tmp_path: Path, prod: str, shadow: str) -> str:
    with open_store(StoreConfig(url=f"sqlite:///{tmp_path}/s.db")) as store:
        store.save([msgspec.structs.replace(make_pair(1), prod_text=prod, shadow_text=shadow)])
        return pair_page(store.exchange(make_pair(1).copy.shadow_id), "candidate", CONFIG)


def test_long_texts_of_other_words_are_marked_whole(tmp_path: Path) -> None:
    page = page_of(tmp_path, " ".join(f"a{n}" for n in range(900)), " ".join(f"b{n}" for n in range(900)))
    assert page.count("<mark>") == 2


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("prod", "shadow"), [("a " * 9000, "a b " * 5000), ("." * 20_000, ".," * 10_000), ("x" * 30_000, "y" * 30_000)]
)
def test_what_repeats_too_often_is_shown_and_not_compared(tmp_path: Path, prod: str, shadow: str) -> None:
    page = page_of(tmp_path, prod, shadow)
    assert page.count("<mark>") <= 2
    assert prod[:500] in page
