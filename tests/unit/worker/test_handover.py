"""Whether a worker still runs the lane's configuration."""

from __future__ import annotations

from pathlib import Path

from shadowlane import Config
from shadowlane.capture.supervisor import write_worker_config
from shadowlane.config.worker_file import CONFIG_FILE, running_revision, worker_config
from shadowlane.worker.handover import Handover


def config(ratio: float = 0.5) -> Config:
    return Config.from_dict({"shadows": {"a": {"url": "http://127.0.0.1:9"}}, "sampling": {"ratio": ratio}})


def test_the_same_configuration_written_again_is_no_handover(tmp_path: Path) -> None:
    write_worker_config(config(), tmp_path)
    handover = Handover(tmp_path, running_revision(tmp_path))
    assert not handover.is_due()
    write_worker_config(config(), tmp_path)
    assert not handover.is_due()
    write_worker_config(config(0.25), tmp_path)
    assert handover.is_due()
    write_worker_config(config(), tmp_path)
    assert handover.is_due()  # what was drained meanwhile was the other's


def test_a_worker_that_starts_too_late_leaves_at_once(tmp_path: Path) -> None:
    write_worker_config(config(), tmp_path)
    mine = running_revision(tmp_path)
    write_worker_config(config(0.25), tmp_path)
    assert Handover(tmp_path, mine).is_due()


def test_without_a_file_or_with_one_that_cannot_be_read_nothing_is_handed_over(tmp_path: Path) -> None:
    handover = Handover(tmp_path, worker_config(config(), tmp_path).revision())
    assert not handover.is_due()
    for text in ("{", "[]", '{"shadows": {"a": {"url": "http://127.0.0.1:9", "newer": 1}}}'):
        (tmp_path / CONFIG_FILE).write_text(text)
        assert not handover.is_due()
    (tmp_path / CONFIG_FILE).unlink()
    assert not handover.is_due()


def test_equal_configurations_have_one_revision() -> None:
    assert config().revision() == config().revision()
    assert config().revision() == Config.from_dict(config().to_dict()).revision()
    assert len({config(ratio / 10).revision() for ratio in range(1, 10)}) == 9
