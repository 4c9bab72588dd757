"""The command line's own arguments: what is wrong is said in one line, with exit code 2."""

from __future__ import annotations

import pytest

from shadowlane.cli import main


@pytest.mark.parametrize("hours", ["nan", "inf", "-inf", "-1", "0", "1e9", "a day"])
def test_hours_that_no_window_can_have_are_refused(hours: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", f"--hours={hours}"])
    assert ended.value.code == 2
    assert f"--hours: '{hours}': use more than 0" in capsys.readouterr().err
