"""The state file: what a killed run left is taken over, what belongs to another run is refused."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.errors import ConfigError, DataError
from shadowlane.probe.state import Run, RunState, Wordings
from shadowlane.types import Citation


def run(wording: int = 0, seed: int = 1, **more: object) -> Run:
    return Run(item="a", wording=wording, seed=seed, arm="prod", status=200, text="t", **more)  # type: ignore[arg-type]


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = RunState(path, "f")
    cited = run(citations=(Citation(section_id="x/y", offsets=(1, 2)),))
    first.add(cited)
    first.add(Wordings(item="a", texts=("x", "y")))
    first.close(done=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = RunState(path, "f")
    assert again.runs == {cited.key: cited}
    assert again.wordings == {"a": ("x", "y")}
    again.close(done=True)
    assert not path.exists()


def test_what_got_no_answer_is_asked_again(tmp_path: Path) -> None:
    state = RunState(tmp_path / "s", "f")
    state.add(Run(item="a", wording=0, seed=1, arm="prod", reason="connect_error"))
    state.close(done=False)
    again = RunState(tmp_path / "s", "f")
    assert again.runs == {}
    again.close(done=False)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_gives_a_beginning_of_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "s"
    state = RunState(path, "f")
    for wording in range(4):
        state.add(run(wording))
    state.close(done=False)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    again = RunState(path, "f")
    kept = max(whole[:cut].count(b"\n") - 1, 0)
    assert sorted(key[1] for key in again.runs) == list(range(kept))
    again.add(run(kept))
    again.close(done=False)
    last = RunState(path, "f")
    assert sorted(key[1] for key in last.runs) == list(range(kept + 1))
    last.close(done=False)


def test_another_probe_is_refused_unless_fresh(tmp_path: Path) -> None:
    state = RunState(tmp_path / "s", "f")
    state.add(run())
    with pytest.raises(ConfigError, match="another probe is using it"):
        RunState(tmp_path / "s", "f")
    state.close(done=False)
    with pytest.raises(DataError, match="begun with another gold file"):
        RunState(tmp_path / "s", "g")
    fresh = RunState(tmp_path / "s", "g", fresh=True)
    assert fresh.runs == {}
    fresh.close(done=False)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("my notes\n")
    for fresh in (False, True):
        with pytest.raises(DataError, match="not the state of a probe"):
            RunState(tmp_path / "s", "f", fresh=fresh)
    assert (tmp_path / "s").read_text() == "my notes\n"
    (tmp_path / "link").symlink_to(tmp_path / "s")
    with pytest.raises(ConfigError, match="cannot be opened"):
        RunState(tmp_path / "link", "f")
    with pytest.raises(ConfigError, match="cannot be opened"):
        RunState(tmp_path / "none" / "s", "f")


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("my notes\n")
    with pytest.raises(DataError):
        RunState(tmp_path / "s", "f")
    # Only this file's: what other tests left to threads of theirs opens and closes meanwhile.
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(descriptor.readlink())
    assert links
    assert tmp_path / "s" not in links
