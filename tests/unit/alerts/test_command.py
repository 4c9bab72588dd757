"""``shadowlane alert --test``: what each receiver answered, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowlane.cli import main
from tests.support.receiver import receiver

KEY = "R0UT1NGKEY0123456789abcdefABCDEF"


def written(folder: Path, alerts: str) -> list[str]:
    file = folder / "shadowlane.toml"
    file.write_text(f'[shadows.candidate]\nurl = "http://127.0.0.1:9"\n{alerts}')
    return ["--config", str(file)]


def test_each_says_what_it_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiver() as good, receiver() as bad:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{good.url}/services/T0/B0/hook")
        monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", KEY)
        config = written(
            tmp_path,
            '[[alerts]]\nkind = "slack"\nurl_env = "SLACK_WEBHOOK_URL"\n'
            f'[[alerts]]\nkind = "pagerduty"\nurl = "{bad.url}/v2/enqueue"\n'
            'routing_key_env = "PAGERDUTY_ROUTING_KEY"\n',
        )
        bad.plan = [(400, {}, f"no integration {KEY}".encode())] * 2
        assert main(["alert", "--test", *config]) == 1
        said = capsys.readouterr().out.splitlines()
        assert said == [
            "slack (slack): took it: HTTP 200: ok",
            "pagerduty (pagerduty): DID NOT TAKE IT: HTTP 400: no integration …",
        ]
        assert main(["alert", "--test", "slack", "--json", *config]) == 0
        assert json.loads(capsys.readouterr().out) == {
            "slack": {"kind": "slack", "taken": True, "answer": "HTTP 200: ok"}
        }
        assert (len(good.got), len(bad.got)) == (2, 1)
    assert good.got[0].data["text"] == "Test of shadowlane's alerts, nothing is wrong: lane default"
    event = bad.got[0].data
    assert (event["event_action"], event["payload"]["severity"], event["routing_key"]) == ("trigger", "info", KEY)
    assert not list(tmp_path.glob("*alerts.json"))


def test_what_cannot_be_sent_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLACK_WEBHOOK_URL", raising=False)
    assert main(["alert", "--test", *written(tmp_path, "")]) == 2
    assert "alerts: none is configured; add [[alerts]]" in capsys.readouterr().err
    config = written(tmp_path, '[[alerts]]\nkind = "slack"\nurl_env = "SLACK_WEBHOOK_URL"\n')
    assert main(["alert", "--test", "slak", *config]) == 2
    assert "--test = 'slak': did you mean slack? No alerts of this name; known: slack" in capsys.readouterr().err
    assert main(["alert", "--test", *config]) == 2
    assert "alerts[0].url_env = 'SLACK_WEBHOOK_URL': the environment variable is not set" in capsys.readouterr().out
    with receiver() as other:
        text = '[[alerts]]\nkind = "slack"\nurl_env = "SLACK_WEBHOOK_URL"\n'
        text += f'[[alerts]]\nkind = "json"\nurl = "{other.url}"\n'
        assert main(["alert", "--test", "--json", *written(tmp_path, text)]) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["slack"]["taken"], said["json"]["taken"], len(other.got)) == (False, True, 1)
    assert main(["doctor", *config]) == 1
    assert "alerts to slack" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["alert", *config])
    assert ended.value.code == 2
