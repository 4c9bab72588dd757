"""Embedders: unit rows that depend on the text alone, blank texts, long texts, the cache, and clear refusals."""

from __future__ import annotations

import functools
import importlib.util
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import shadowlane
from shadowlane import _core
from shadowlane.embedders import Embedder, load_embedder
from shadowlane.errors import ConfigError, MissingExtraError, ScoreError
from shadowlane.score.delta import text_delta_s


class Counting(Embedder):
    """Counts what reaches the model: rows are drawn from the text's characters."""

    name = "counting@1"
    dim = 8

    def __init__(self, cache_rows: int = 100) -> None:
        super().__init__(cache_rows=cache_rows)
        self.seen: list[str] = []

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        self.seen += texts
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for character in text:
                row[ord(character) % self.dim] += 1
        return rows


@pytest.fixture(scope="module", params=["wordllama", "lexical"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return load_embedder(request.param)


def test_rows_are_unit_float32(embedder: Embedder) -> None:
    texts = ["The capital is Paris.", "", "   ", "!!!", "日本語", "a" * 9000, "\ud800 half a pair"]
    rows = embedder.embed(texts)
    assert rows.dtype == np.float32
    assert rows.shape == (len(texts), embedder.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_name_tells_the_revision(embedder: Embedder) -> None:
    assert "@" in embedder.name


def test_no_texts(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_near_and_far(embedder: Embedder) -> None:
    a = ["The cat sat on the mat."] * 2
    b = ["A cat was sitting on the mat.", "Quarterly revenue grew by nine percent."]
    near, far = text_delta_s(embedder, a, b)
    assert near < far


def test_a_row_depends_on_its_text_alone(embedder: Embedder) -> None:
    texts = [f"answer number {index} " * (1 + index % 40) for index in range(150)]
    together = embedder.embed(texts)
    fresh = load_embedder(embedder.name.partition(":")[0])
    for index in (0, 33, 149):
        np.testing.assert_array_equal(fresh.embed([texts[index]])[0], together[index])


def test_long_texts_are_pooled(embedder: Embedder) -> None:
    sentence = "The handbook says that leave must be requested two weeks ahead. "
    short, long = embedder.embed([sentence * 20, sentence * 2000])
    assert short @ long > 0.99


def test_blank_texts_have_a_defined_distance(embedder: Embedder) -> None:
    delta = text_delta_s(embedder, ["", " \n", "", "text"], ["", "", "text", " "])
    np.testing.assert_array_equal(delta, [0, 0, 1, 1])


def test_embeds_each_text_once() -> None:
    embedder = Counting()
    first = embedder.embed(["one", "two", "one", ""])
    assert sorted(embedder.seen) == ["one", "two"]
    np.testing.assert_array_equal(first[0], first[2])
    again = embedder.embed(["two", "one"])
    assert len(embedder.seen) == 2
    np.testing.assert_array_equal(again, first[[1, 0]])


def test_cache_is_bounded_and_drops_the_least_used() -> None:
    embedder = Counting(cache_rows=2)
    embedder.embed(["one", "two"])
    embedder.embed(["one"])
    embedder.embed(["three"])
    embedder.embed(["one", "three"])
    assert sorted(embedder.seen) == ["one", "three", "two"]
    embedder.embed(["two"])
    assert sorted(embedder.seen) == ["one", "three", "two", "two"]


@settings(max_examples=50)
@given(st.lists(st.text(max_size=5000), max_size=6))
def test_any_text_has_a_unit_row(texts: list[str]) -> None:
    rows = Counting().embed(texts)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), np.ones(len(texts)), atol=1e-5)


def test_chunks_lose_no_word() -> None:
    embedder = Counting()
    words = [f"word{index}" for index in range(3000)]
    embedder.embed([" ".join(words)])
    assert len(embedder.seen) > 1
    assert max(map(len, embedder.seen)) <= 2000
    assert sorted(word for chunk in embedder.seen for word in chunk.split()) == sorted(words)


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"score\.embedder = 'bert': unknown embedder; one of wordllama, lexical"):
        load_embedder("bert")
    with pytest.raises(ConfigError, match="the model is missing"):
        load_embedder("sentence-transformers:")


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'shadowlane\[semantic\]'"):
        load_embedder("wordllama")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="sentence-transformers"):
        load_embedder("sentence-transformers:all-MiniLM-L6-v2")


@pytest.mark.parametrize("texts", ["one text", b"bytes", ["text", 3], [None]])
def test_refuses_what_is_not_texts(texts: object) -> None:
    with pytest.raises(ScoreError, match="list of texts"):
        Counting().embed(texts)  # type: ignore[arg-type]


def test_refuses_sides_of_different_length() -> None:
    with pytest.raises(ScoreError, match="2 texts against 1"):
        text_delta_s(Counting(), ["a", "b"], ["c"])


def test_a_model_that_gives_no_numbers_is_an_error() -> None:
    class Broken(Counting):
        def _encode(self, texts: list[str]) -> NDArray[np.float32]:
            return np.full((len(texts), self.dim), np.inf, dtype=np.float32)

    with pytest.raises(ScoreError, match="not finite"):
        Broken().embed(["text"])


def test_loading_leaves_the_process_logging_alone() -> None:
    code = (
        "import logging; from shadowlane.embedders import load_embedder; load_embedder('wordllama');"
        "print(logging.getLogger().level, logging.getLogger().handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(logging.WARNING), "[]"]


NO_HOME = """
import os, pwd, sys
def nobody(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = nobody
assert os.path.expanduser("~") == "~", "this process has a home directory: the test shows nothing"
"""


def without_home(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code as a user without a passwd entry and an environment with nothing but what imports need."""
    environment = {"PYTHONPATH": str(Path(shadowlane.__file__).parents[1]), **variables}
    return subprocess.run([sys.executable, "-c", NO_HOME + code], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["wordllama", "lexical"])
def test_loads_without_a_home_directory(name: str) -> None:
    code = f"from shadowlane.embedders import load_embedder; print(load_embedder({name!r}).embed(['one']).shape[0])"
    done = without_home(code)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


def test_the_worker_and_its_groups_are_imported_without_a_home_directory() -> None:
    code = (
        "import shadowlane.worker.process, shadowlane.score.live, shadowlane.report.command, shadowlane.probe.command"
    )
    done = without_home(code)
    assert done.returncode == 0, done.stderr


def test_a_model_to_be_downloaded_needs_a_folder_that_is_named(tmp_path: Path) -> None:
    # The package itself is not installed here, and is looked for first: so only the decision is tried.
    code = "from shadowlane.embedders.sentence_transformers import has_model_cache; print(has_model_cache())"
    assert without_home(code).stdout.strip() == "False"
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        assert without_home(code, **{name: str(tmp_path)}).stdout.strip() == "True"


@pytest.mark.parametrize(
    "spoil", ["weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"]
)
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_a_wheel_without_its_model_is_named(
    spoil: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("wordllama")
    assert spec is not None
    assert spec.origin is not None
    package = tmp_path / "wordllama"
    for part in ("weights", "tokenizers"):
        shutil.copytree(Path(spec.origin).parent / part, package / part)
    (package / "__init__.py").touch()
    (package / spoil).unlink()
    if how == "damaged":
        (package / spoil).write_bytes(b"{")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wordllama", raising=False)
    with pytest.raises(ScoreError, match=r"lacks its model.*reinstall wordllama"):
        load_embedder("wordllama")


def test_importing_score_loads_no_model_package() -> None:
    code = "import sys, shadowlane.score; print([m for m in sys.modules if m in ('wordllama', 'hnswlib', 'requests')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def laid_out(text: str) -> bool:
    """Whether the layout is left out of what the embedder reads."""
    return "\n" in text or "**" in text


words = st.lists(
    st.text(max_size=8)
    | st.sampled_from(["The", "fee", "is", "$20.", "", "-", "naïve", "<s>", "\u2581", "日本語" * 20, "x7" * 50]),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(words.map(" ".join).filter(lambda text: bool(text.strip()) and not laid_out(text)), min_size=1, max_size=4)
)
def test_rows_are_those_of_the_package_over_whole_texts(texts: list[str]) -> None:
    """However the texts are taken apart, and whatever words were seen before."""
    ours, package = wordllama_embedder(), wordllama_package()
    rows = ours.embed(texts)
    assert ours._splits, "texts are no longer read word by word: the comparison shows nothing"
    whole = []
    for text in texts:
        text = text.encode("utf-8", "replace").decode()
        ids = package.tokenizer.encode(text, add_special_tokens=False).ids
        mean = package.embedding[ids].mean(axis=0, dtype=np.float64)
        whole.append(mean / np.linalg.norm(mean))
    np.testing.assert_allclose(rows, whole, atol=1e-6)
    np.testing.assert_allclose(rows @ rows.T, np.array(whole) @ np.array(whole).T, atol=1e-6)


def test_rows_are_those_of_the_packages_own_embed() -> None:
    texts = ["The fee is $20.", "A cat sat  on the mat. - one - two ", "<s> marks </s> and <unk>", "日本語 word"]
    rows = wordllama_package().embed(texts)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(wordllama_embedder().embed(texts), rows, atol=1e-6)


def test_rows_of_a_layout_are_those_of_its_words() -> None:
    laid = ["| Plan | **Price** |\n|---|---|\n| Pro | $24 |", "## Fees\n\n1. Fill in form A.\n- Pay $9.", "one\r\ntwo"]
    plain = ["Plan Price Pro $24", "Fees Fill in form A. Pay $9.", "one two"]
    np.testing.assert_array_equal(wordllama_embedder().embed(laid), wordllama_embedder().embed(plain))


def test_a_table_and_the_same_in_prose_are_near() -> None:
    table = "| Plan | Price | Users |\n|---|---|---|\n| Basic | $9 | 3 |\n| Team | $29 | 15 |"
    prose = "The basic plan has a price of $9 and is for 3 users; the team plan has a price of $29 and is for 15 users."
    other = "The museum is closed on Mondays; on other days it opens at ten, and children get in free of charge."
    (near,) = text_delta_s(wordllama_embedder(), [prose], [table])
    (far,) = text_delta_s(wordllama_embedder(), [prose], [other])
    assert near < 0.4 < 0.6 < far


def test_a_vocabulary_with_tokens_across_spaces_would_be_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["The fee is $20.", "A cat sat  on the mat.\n- two ", "<s> marks </s>"]
    by_words = wordllama_embedder().embed(texts)
    monkeypatch.setattr("shadowlane.embedders.wordllama.WordLlama._may_split", lambda self: False)
    whole = load_embedder("wordllama")
    assert not whole._splits  # type: ignore[attr-defined]
    np.testing.assert_allclose(whole.embed(texts), by_words, atol=1e-6)


def test_a_bag_refuses_what_it_cannot_use() -> None:
    with pytest.raises(ValueError, match="table"):
        _core.EmbeddingBag(b"\0" * 10, 2)
    with pytest.raises(ConfigError, match="table: 3 numbers are no rows of 2"):
        _core.EmbeddingBag(b"\0" * 12, 2)
    bag = _core.EmbeddingBag(b"\0" * 16, 2)
    with pytest.raises(ValueError, match="another number of words"):
        bag.means(["one", "two"], lambda words: [[0]])
    with pytest.raises(ZeroDivisionError):
        bag.means(["one"], lambda words: [[1 // 0]])
    assert len(bag.means(["one", "two"], lambda words: [[0]] * len(words))) == 16


@functools.cache
def wordllama_embedder() -> Any:
    return load_embedder("wordllama")


@functools.cache
def wordllama_package() -> Any:
    import wordllama

    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
