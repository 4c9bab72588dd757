"""The manifests of release tools: valid by their CRDs, and driven against a real worker as each controller would."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.conftest import World, until
from tests.e2e.test_serve import started
from tests.support.controllers import Flagger, Keda, WebMetric
from tests.support.ports import reserved_port
from tests.support.seeded import GATE, seed

jsonschema = pytest.importorskip("jsonschema", reason="manifests are checked with jsonschema")

EXAMPLES = Path(__file__).parents[2] / "examples"
ENV = {"LANE_TOKEN": "open-sesame-for-tests", "GATE_TOKEN": "only-the-verdict-please"}
ARGS = {"token": ENV["GATE_TOKEN"], "hash": "5d9c"}
SERVE = {"listen": "127.0.0.1:0", "token_env": "LANE_TOKEN", "gate_token_env": "GATE_TOKEN"}
CRDS = {
    ("flagger.app/v1beta1", "Canary"): "flagger",
    ("argoproj.io/v1alpha1", "AnalysisTemplate"): "argo-analysis-template",
    ("argoproj.io/v1alpha1", "Rollout"): "argo-rollout",
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): "gateway-httproutes",
}
OTHERS = {"ConfigMap", "Deployment", "Service", "ScaledObject", "TriggerAuthentication"}


def documents(folder: str) -> list[dict[str, Any]]:
    return [one for file in (EXAMPLES / folder).glob("*.yaml") for one in yaml.safe_load_all(file.read_text()) if one]


def of_kind(folder: str, kind: str, name: str = "") -> dict[str, Any]:
    [found] = [one for one in documents(folder) if one["kind"] == kind and name in ("", one["metadata"]["name"])]
    return found


RELEASE = [one for folder in ("flagger", "argo", "keda", "gateway-api") for one in documents(folder)]


def schema_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The CRD's own schema, with what Kubernetes takes beyond it: nothing that is not named."""
    data = os.environ.get("SHADOWLANE_DATA", "")
    file = Path(data) / "crds" / f"{CRDS[manifest['apiVersion'], manifest['kind']]}.yaml.gz"
    if not data or not file.exists():
        pytest.skip(f"SHADOWLANE_DATA has no crds/{file.name}")
    version = manifest["apiVersion"].partition("/")[2]
    for crd in yaml.safe_load_all(gzip.decompress(file.read_bytes())):
        if crd and crd["spec"]["names"]["kind"] == manifest["kind"]:
            [found] = [one for one in crd["spec"]["versions"] if one["name"] == version]
            return closed(found["schema"]["openAPIV3Schema"])
    raise AssertionError(f"no CRD of {manifest['kind']}")


def closed(schema: Any) -> Any:
    """A structural schema prunes unknown fields; a manifest with one is wrong. Metadata's are the server's."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("type", None)
    plain = isinstance(made.get("properties"), dict) and made.get("type") == "object"
    if plain and "additionalProperties" not in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made


def checked(manifest: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema_of(manifest)).validate(manifest)


def test_every_kind_is_checked_by_something() -> None:
    assert {one["kind"] for one in RELEASE} == {kind for _, kind in CRDS} | OTHERS


@pytest.mark.parametrize(
    "manifest",
    [one for one in RELEASE if (one["apiVersion"], one["kind"]) in CRDS],
    ids=lambda one: f"{one['kind']}-{one['metadata']['name']}",
)
def test_manifests_are_valid_by_their_crds(manifest: dict[str, Any]) -> None:
    checked(manifest)


@pytest.mark.parametrize(
    ("folder", "kind", "name", "path"),
    [
        ("flagger", "Canary", "rag", ("spec", "analysis", "webhooks", 0, "typ")),
        ("argo", "AnalysisTemplate", "shadowlane-graduates", ("spec", "metrics", 0, "inconclusiveLimits")),
        ("argo", "Rollout", "rag", ("spec", "strategy", "canary", "steps", 0, "setCanaryScal")),
        ("gateway-api", "HTTPRoute", "rag", ("spec", "rules", 0, "filters", 0, "requestMirror", "percents")),
    ],
)
def test_the_check_has_teeth(folder: str, kind: str, name: str, path: tuple[Any, ...]) -> None:
    wrong = yaml.safe_load(yaml.safe_dump(of_kind(folder, kind, name)))
    inside = wrong
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = "x"
    with pytest.raises(jsonschema.ValidationError, match=str(path[-1])):
        checked(wrong)


@pytest.mark.parametrize("manifest", [one for one in RELEASE if one["kind"] in ("ConfigMap", "Deployment", "Service")],
                         ids=lambda one: one["kind"])  # fmt: skip
def test_what_kubernetes_itself_knows_is_valid(manifest: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="checked with kubernetes-validate")
    validate.validate(manifest, "1.33", strict=True)


def test_they_ask_the_service_and_the_secret_of_the_lanes_example() -> None:
    lane = {(one["kind"], one["metadata"]["name"]): one for one in documents("kubernetes")}
    [port] = lane["Service", "shadowlane"]["spec"]["ports"]
    [worker] = [
        one
        for one in lane["Deployment", "gateway"]["spec"]["template"]["spec"]["containers"]
        if one["name"] == "worker"
    ]
    keys = {one["valueFrom"]["secretKeyRef"]["key"] for one in worker["env"] if "valueFrom" in one}
    text = "\n".join(yaml.safe_dump(one, width=10_000) for one in RELEASE)
    assert text.count(f"//shadowlane.default.svc:{port['port']}/") == 3
    assert text.count(f"GATE-TOKEN@shadowlane.default.svc:{port['port']}/") == 4
    assert "gate-token" in keys
    assert worker["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["targetPort"]}
    assert "readinessProbe" not in worker, "a worker that is not ready must not take the gateway out of service"


@pytest.fixture(params=["GRADUATE", "HOLD", "REJECT"])
def verdict(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def url(world: World, verdict: str) -> str:
    """A worker whose lane has that verdict."""
    world.configure("http://127.0.0.1:9", gate=GATE)
    seed(world.config, verdict)
    return started(world, "--log-level", "info", env=ENV, gate=GATE, serve=SERVE)


def test_flagger_waits_goes_on_or_rolls_back(url: str, verdict: str) -> None:
    flagger = Flagger(of_kind("flagger", "Canary"), url, "c1", ENV["GATE_TOKEN"])
    for _ in range(8):
        flagger.tick()
    assert (flagger.phase, flagger.weight) == {
        "GRADUATE": ("Promoting", 60),
        "HOLD": ("Progressing", 0),
        "REJECT": ("Failed", 0),
    }[verdict]
    assert flagger.failed_checks == 0
    assert set(flagger.events) == ({"waiting dark-launch"} if verdict == "HOLD" else set())
    for body in flagger.bodies:
        assert body.startswith("HOLD candidate: needs more data for ")
        assert body.isprintable()
        assert len(body) <= 200


@pytest.mark.parametrize("verdict", ["REJECT"])
def test_without_a_rollback_hook_failed_checks_roll_back(url: str, verdict: str) -> None:
    canary = of_kind("flagger", "Canary")
    hooks = canary["spec"]["analysis"]["webhooks"]
    canary["spec"]["analysis"]["webhooks"] = [hook for hook in hooks if hook["type"] != "rollback"]
    flagger = Flagger(canary, url, "c1", ENV["GATE_TOKEN"], weight=20)
    for _ in range(6):
        flagger.tick()
    assert (flagger.phase, flagger.weight, flagger.failed_checks) == ("Failed", 20, 5)
    assert set(flagger.events) == {"external check no-reject failed REJECT candidate: mean ΔS, P95 latency"}


@pytest.mark.parametrize("verdict", ["GRADUATE"])
def test_flaggers_new_revision_begins_anew(url: str, verdict: str) -> None:
    canary = of_kind("flagger", "Canary")
    first = Flagger(canary, url, "c1", ENV["GATE_TOKEN"])
    first.tick()
    assert first.weight == 20
    second = Flagger(canary, url, "c2", ENV["GATE_TOKEN"])
    for _ in range(3):
        second.tick()
    assert (second.phase, second.weight, second.failed_checks) == ("Progressing", 0, 0)
    auth = {"Authorization": f"Bearer {ENV['GATE_TOKEN']}"}
    [shadow] = httpx.get(f"{url}/gate", headers=auth, timeout=60).json()["shadows"]
    assert shadow["window"]["why"] == "checksum of default/rag changed from c1 to c2"


@pytest.mark.parametrize("verdict", ["GRADUATE"])
def test_a_canary_with_users_is_rolled_back_by_a_reject_and_by_nothing_else(world: World, url: str) -> None:
    flagger = Flagger(of_kind("flagger", "Canary"), url, "c1", ENV["GATE_TOKEN"])
    flagger.tick()
    assert flagger.weight == 20
    moved = world.database.rename(world.folder / "elsewhere.db")  # the store is gone: nothing can be evaluated
    world.database.write_bytes(b"no database")
    flagger.checksum = "c2"  # so that nothing is answered out of memory
    for _ in range(8):
        flagger.tick()
    assert (flagger.phase, flagger.weight, flagger.failed_checks) == ("Progressing", 20, 0)
    assert set(flagger.events) == {"waiting dark-launch"}
    assert all(body.startswith("HOLD ") for body in flagger.bodies)
    assert moved.exists()


@pytest.mark.parametrize("verdict", ["GRADUATE"])
def test_argos_new_revision_begins_anew(url: str, verdict: str) -> None:
    """The analysis begins when the canary is there, before it has answered anything."""
    [metric] = of_kind("argo", "AnalysisTemplate", "shadowlane-graduates")["spec"]["metrics"]
    rollout = of_kind("argo", "Rollout", "rag")
    [analysis] = [step["analysis"] for step in rollout["spec"]["strategy"]["canary"]["steps"] if "analysis" in step]
    assert analysis["args"] == [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]
    measured = [WebMetric(metric, url, {**ARGS, "hash": one}).measure() for one in ("5d9c", "5d9c", "77fb", "77fb")]
    assert measured == ["Successful", "Successful", "Inconclusive", "Inconclusive"]
    answer = httpx.get(f"{url}/gate", headers={"Authorization": f"Bearer {ENV['GATE_TOKEN']}"}, timeout=60).json()
    assert answer["shadows"][0]["window"]["why"] == "checksum of default/rag changed from 5d9c to 77fb"


def test_argo_succeeds_fails_or_goes_on(url: str, verdict: str) -> None:
    [metric] = of_kind("argo", "AnalysisTemplate", "shadowlane-graduates")["spec"]["metrics"]
    run = WebMetric(metric, url, ARGS)
    measured = run.measure()
    assert (run.last, measured, run.phase) == {
        "GRADUATE": ("GRADUATE", "Successful", "Successful"),
        "HOLD": ("HOLD", "Inconclusive", "Running"),
        "REJECT": ("REJECT", "Failed", "Failed"),
    }[verdict]
    impatient = WebMetric({**metric, "inconclusiveLimit": 1}, url, ARGS)
    for _ in range(2):
        impatient.measure()
    assert impatient.phase == {"HOLD": "Inconclusive"}.get(verdict, run.phase)
    [metric] = of_kind("argo", "AnalysisTemplate", "shadowlane-no-reject")["spec"]["metrics"]
    run = WebMetric(metric, url, ARGS)
    assert (run.measure(), run.phase) == (("Failed", "Failed") if verdict == "REJECT" else ("Successful", "Running"))


@pytest.mark.parametrize("verdict", ["HOLD"])
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?shadow=candidte", "unknown shadow 'candidte'; known: candidate"),
        ("?shadow=", "unknown shadow ''; known: candidate"),
        ("?shadow=candidate&shadow=candidate", "shadow is given more than once"),
        ("?shadows=candidate", "unknown parameter 'shadows'; known: shadow"),
        ("?shadow=%1b[2J%e2%80%ae%0aX", "unknown shadow '�[2J� X'; known: candidate"),
        ("?shadow=sk-proj-abcDEF1234567890abcDEF", "it may be a key"),
    ],
)
def test_argo_gets_a_hold_with_its_reason_for_a_question_that_cannot_be_answered(
    url: str, query: str, reason: str
) -> None:
    [metric] = of_kind("argo", "AnalysisTemplate", "shadowlane-graduates")["spec"]["metrics"]
    asked = {**metric, "provider": {"web": {**metric["provider"]["web"], "url": f"http://x/gate{query}"}}}
    run = WebMetric(asked, url, ARGS)
    assert (run.measure(), run.last) == ("Inconclusive", "HOLD")
    answer = httpx.get(f"{url}/gate{query}", headers={"Authorization": f"Bearer {ENV['GATE_TOKEN']}"}, timeout=60)
    assert answer.status_code == 200
    assert reason in answer.json()["reason"]
    assert answer.text[:-1].isprintable()


@pytest.mark.parametrize("verdict", ["GRADUATE"])
def test_argo_without_the_token_measures_errors_up_to_its_limit(url: str, verdict: str) -> None:
    [metric] = of_kind("argo", "AnalysisTemplate", "shadowlane-graduates")["spec"]["metrics"]
    run = WebMetric({**metric, "consecutiveErrorLimit": 2}, url, {**ARGS, "token": "wrong"})
    phases = []
    for _ in range(3):
        run.measure()
        phases.append(run.phase)
    assert phases == ["Running", "Running", "Error"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "candidate: "),
        (b"{}", "candidate: "),
        (
            b'{"metadata": {"shadow": "candidate", "lane": "default", "more": 1}, "phase": 7, "extra": []}',
            "candidate: ",
        ),
        (b'{"metadata": {"shadow": "other"}}', "unknown shadow 'other'; known: candidate"),
        (b'{"metadata": {"lane": "other"}}', "metadata.lane is 'other', and this is lane default"),
        (b"not json", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b'{"checksum": "c1"}', "candidate: "),
        (b'{"checksum": "c1", "name": "My_App", "phase": "Progressing"}', "candidate: "),
        (b'{"checksum": "c1", "name": "not a name", "namespace": "x"}', "are not those of a canary"),
        (b'{"checksum": "c1", "name": "' + b"n" * 600 + b'", "namespace": "x"}', "are not those of a canary"),
        (b'{"checksum": "c 1\\n", "name": "rag", "namespace": "x"}', "are not those of a canary"),
        (b'{"checksum": "' + b"c" * 5000 + b'", "name": "rag"}', "are not those of a canary"),
        (b"[" * 60_000, "the body is not JSON"),
        (b'{"name": "\xff"}', "the body is not JSON"),
        (b'{"name": "\\ud800"}', "the body is not JSON"),
    ],
)
@pytest.mark.parametrize("verdict", ["GRADUATE"])
def test_a_payload_is_read_leniently_and_what_cannot_be_is_a_hold(url: str, body: bytes, reason: str) -> None:
    auth = {"Authorization": f"Bearer {ENV['LANE_TOKEN']}"}
    answers = {
        name: httpx.post(f"{url}/gate/{name}", content=body, headers=auth, timeout=60)
        for name in ("promote", "check", "rollback")
    }
    good = reason == "candidate: "
    assert [answer.status_code for answer in answers.values()] == [200 if good else 409, 200, 409]
    for answer in answers.values():
        assert answer.text.startswith("GRADUATE " if good else "HOLD ")
        assert reason in answer.text
        assert answer.text.isprintable()
        assert len(answer.text) <= 200


def test_two_shadows_are_judged_together_and_each_alone(world: World) -> None:
    both = {"url": "http://127.0.0.1:9", "timeout_s": 5.0}
    world.configure("http://127.0.0.1:9", gate=GATE, shadows__other=both)
    seed(world.config, "GRADUATE")
    seed(world.config, "REJECT", shadow="other")
    url = started(world, "--serve", "127.0.0.1:0", gate=GATE, shadows__other=both)
    whole = httpx.get(f"{url}/gate", timeout=60).json()
    assert (whole["verdict"], whole["shadow"], [one["shadow"] for one in whole["shadows"]]) == (
        "REJECT",
        None,
        ["candidate", "other"],
    )
    assert whole["pins"] == {"candidate": {"model_rev": "2025-06-01"}, "other": {"model_rev": "2025-06-01"}}
    alone = httpx.get(f"{url}/gate?shadow=candidate", timeout=60).json()
    assert (alone["verdict"], alone["shadow"]) == ("GRADUATE", "candidate")
    assert {rule["shadow"] for rule in alone["rules"]} == {"candidate"}
    named = {"metadata": {"shadow": "candidate"}}
    assert httpx.post(f"{url}/gate/promote", json=named, timeout=60).status_code == 200
    assert httpx.post(f"{url}/gate/promote", timeout=60).text.startswith("REJECT other: ")
    assert httpx.post(f"{url}/gate/rollback", json=named, timeout=60).status_code == 409
    assert httpx.post(f"{url}/gate/rollback", timeout=60).status_code == 200


def test_keda_scales_by_what_waits(world: World) -> None:
    scaled, trigger = of_kind("keda", "ScaledObject")["spec"], of_kind("keda", "ScaledObject")["spec"]["triggers"][0]
    assert trigger["authenticationRef"]["name"] == of_kind("keda", "TriggerAuthentication")["metadata"]["name"]
    slow = {"concurrency": 1, "timeout_s": 60.0}
    url = started(world, "--log-level", "info", env=ENV, serve=SERVE, url=world.shadow("hang"), shadows__candidate=slow)  # type: ignore[arg-type]
    keda = Keda(trigger, url, ENV["GATE_TOKEN"])
    assert keda.replicas(scaled["minReplicaCount"], scaled["maxReplicaCount"]) == 1
    gateway = world.gateway()
    with httpx.Client(timeout=30, trust_env=False) as client:
        for number in range(51):
            assert client.post(f"{gateway}/ask", json={"question": f"how {number}?"}).status_code == 200
    until(
        lambda: keda.replicas(scaled["minReplicaCount"], scaled["maxReplicaCount"]) == 2, "a second replica is wanted"
    )


def test_the_tagger_tags_reads_and_passes_on_nothing_else(tmp_path: Path) -> None:
    """The ConfigMap's own text under a real nginx, in front of a candidate that is served with the guard."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    with reserved_port() as port, reserved_port() as behind:
        text: str = of_kind("gateway-api", "ConfigMap")["data"]["default.conf"]
        text = text.replace("listen 8080", f"listen 127.0.0.1:{port}").replace(
            "candidate.default.svc:9001", f"127.0.0.1:{behind}"
        )
        main = f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off;\n"
        main += "".join(
            f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (tmp_path / "nginx.conf").write_text(main + text + "}\n")
        app = "tests.support.shadowonly:app"
        world = World(tmp_path)
        candidate = [
            sys.executable,
            "-m",
            "uvicorn",
            app,
            "--port",
            str(behind),
            "--lifespan",
            "off",
            "--log-level",
            "warning",
        ]
        started_nginx = subprocess.Popen([nginx, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)])
        served = subprocess.Popen(candidate, env={**os.environ}, cwd=EXAMPLES.parent)
        try:

            def answers() -> bool:
                try:
                    return httpx.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 200
                except httpx.TransportError:
                    return False

            until(answers, "nginx and the candidate answer")
            assert httpx.get(f"http://127.0.0.1:{port}/", headers={"x-shadow": "0"}, timeout=60).status_code == 200
            assert httpx.post(f"http://127.0.0.1:{port}/", json={}, timeout=60).status_code == 403
            assert httpx.get(f"http://127.0.0.1:{behind}/", timeout=60).status_code == 403, "without the tag"
        finally:
            for one in (started_nginx, served):
                one.terminate()
                one.wait(60)
            world.close()
