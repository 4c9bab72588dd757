"""``[[alerts]]``: what is refused and with which remedy, and that no secret is shown."""

from __future__ import annotations

from typing import Any

import pytest

from shadowlane.config import AlertConfig, Config
from shadowlane.config.alerts import ALERT_RULES
from shadowlane.errors import ConfigError
from shadowlane.gate.lane_rules import LANE_RULES
from shadowlane.gate.targets import SCORE_RULES

SHADOWS = {"candidate": {"url": "http://127.0.0.1:9"}}
HOOK = "https://hooks.slack.com/services/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"
SECRETS = [HOOK, "R0UT1NGKEY0123456789abcdefABCDEF", "https://user:hunter2@alerts.example/x"]


def alert(**fields: Any) -> AlertConfig:
    return Config.from_dict({"shadows": SHADOWS, "alerts": [fields]}).alerts[0]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "json"}, r"alerts\[0\]\.url: missing; give it, or name .* url_env"),
        ({"kind": "mail", "url": "http://a"}, r"alerts\[0\]\.kind = 'mail': .*use one of: .*pagerduty"),
        ({"kind": "json", "url": "ftp://a"}, r"alerts\[0\]\.url = 'ftp://a': use http://HOST"),
        ({"kind": "json", "url": "http://a:port"}, r"alerts\[0\]\.url = .*use http://HOST"),
        ({"kind": "json", "url": "http://a", "url_env": "A_URL"}, r"alerts\[0\]\.url_env: url is given, too"),
        ({"kind": "json", "url": "http://a/?token=1"}, r"alerts\[0\]\.url: the address at a is a secret.*url_env"),
        ({"kind": "slack", "url": HOOK}, r"alerts\[0\]\.url: the address at hooks\.slack\.com is a secret.*url_env"),
        ({"kind": "pagerduty"}, r"alerts\[0\]\.routing_key_env: missing; name the environment variable"),
        ({"kind": "json", "url": "http://a", "routing_key_env": "A_KEY"}, r"routing_key_env: only .*pagerduty"),
        ({"kind": "slack", "url_env": "A_URL", "secret_env": "A_SECRET"}, r"secret_env: only kind = \"json\" is"),
        (
            {"kind": "json", "url": "http://a", "rules": ["latency"]},
            r"rules = 'latency': did you mean p95_latency\? No rule",
        ),
        ({"kind": "json", "url": "http://a", "rules": []}, r"alerts\[0\]\.rules = \[\]: nothing would ever be told"),
        ({"kind": "json", "url": "http://a", "for": "3 of 2"}, r"alerts\[0\]\.for = '3 of 2': write \"N of M\""),
        ({"kind": "json", "url": "http://a", "for": "0 of 2"}, r"alerts\[0\]\.for = '0 of 2': write"),
        ({"kind": "json", "url": "http://a", "for": "61 of 61"}, r"alerts\[0\]\.for = '61 of 61': write"),
        ({"kind": "json", "url": "http://a", "for": "2/3"}, r"alerts\[0\]\.for = '2/3': write"),
        (
            {"kind": "json", "url": "http://a", "for_": "1 of 1"},
            r"alerts\[0\]\.for_: unknown field; did you mean for\?",
        ),
        ({"kind": "json", "url": "http://a", "repeat_h": -1.0}, r"alerts\[0\]\.repeat_h = -1\.0: use 0 \(never\)"),
        ({"kind": "json", "url": "http://a", "name": "A b"}, r"alerts\[0\]\.name = 'A b': use 1 to 64 of"),
        ({"kind": "json", "url": "https://a", "ca_file": "/nowhere/ca.pem"}, r"ca_file = .*no such file"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        alert(**fields)


def test_two_of_one_name_are_refused_and_two_names_are_not() -> None:
    one = {"kind": "json", "url": "http://a"}
    with pytest.raises(ConfigError, match=r"alerts\[1\]\.name = '': alerts\[0\] has this name, too"):
        Config.from_dict({"shadows": SHADOWS, "alerts": [one, one]})
    config = Config.from_dict({"shadows": SHADOWS, "alerts": [one, {**one, "name": "other"}]})
    assert [each.called for each in config.alerts] == ["json", "other"]
    assert Config.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("field", ["url", "url_env", "routing_key_env", "secret_env", "name", "rules"])
def test_no_error_shows_a_secret(field: str, secret: str) -> None:
    fields = {"kind": "json", "url": "http://a", field: [secret] if field == "rules" else secret}
    if field == "url_env":
        del fields["url"]
    with pytest.raises(ConfigError) as raised:
        alert(**fields)
    assert secret not in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "export" not in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "environ", "says"),
    [
        (
            {"kind": "slack", "url_env": "SLACK_WEBHOOK_URL"},
            {},
            r"alerts\[3\]\.url_env = 'SLACK_WEBHOOK_URL': .*not set; export it",
        ),
        (
            {"kind": "slack", "url_env": "SLACK_WEBHOOK_URL"},
            {"SLACK_WEBHOOK_URL": "T0/B0/x"},
            "holds no http:// or https:// URL",
        ),
        ({"kind": "pagerduty", "routing_key_env": "PD_KEY"}, {"PD_KEY": "short"}, "integration key, which is 32"),
        (
            {"kind": "json", "url": "http://a", "secret_env": "A_SECRET"},
            {"A_SECRET": "tooshort"},
            "less than 16 characters; use for example",
        ),
    ],
)
def test_what_a_variable_must_hold(fields: dict[str, Any], environ: dict[str, str], says: str) -> None:
    one = alert(**fields)
    with pytest.raises(ConfigError, match=says) as raised:
        _ = one.address("alerts[3].", environ), one.key("alerts[3].", environ)
    assert not any(value in str(raised.value) for value in environ.values())


def test_where_each_kind_is_sent() -> None:
    base = "http://am.example:9093/prefix"
    assert alert(kind="alertmanager", url=base).address("") == f"{base}/api/v2/alerts"
    assert alert(kind="alertmanager", url=f"{base}/api/v2/alerts").address("") == f"{base}/api/v2/alerts"
    pagerduty = {"kind": "pagerduty", "routing_key_env": "PD_KEY"}
    assert alert(**pagerduty).address("") == "https://events.pagerduty.com/v2/enqueue"
    european = "https://events.eu.pagerduty.com/v2/enqueue"
    assert alert(**pagerduty, url=european).address("") == european
    assert alert(kind="slack", url_env="SLACK_WEBHOOK_URL").address("", {"SLACK_WEBHOOK_URL": HOOK}) == HOOK


def test_every_rule_of_the_gate_can_be_told() -> None:
    keys = {*(target.key for target in SCORE_RULES), *LANE_RULES, "asked"}
    assert keys <= set(ALERT_RULES)
    assert len(set(ALERT_RULES)) == len(ALERT_RULES)


@pytest.mark.parametrize(
    "url", ["lane.example", "ftp://lane.example", "http://u:p@lane.example", "http://a/?b", "http:// a"]
)
def test_an_address_that_is_none_for_people_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"serve\.public_url = .*write http://HOST") as raised:
        Config.from_dict({"shadows": SHADOWS, "serve": {"public_url": url}})
    assert ":p@" not in str(raised.value)
