"""The compose file and the Kubernetes manifests: valid by their specifications, and right about shared memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

from shadowlane.config import Config

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPOSE = EXAMPLES / "compose" / "compose.yaml"
LANE = EXAMPLES / "kubernetes" / "lane.yaml"
MIB = 1024 * 1024
CONTROL_BYTES = 2 * MIB
HEADER_BYTES = MIB // 2  # histograms and counters in front of each ring

compose_spec = pytest.importorskip("compose_spec", reason="the compose file is checked with compose-spec")
kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason="manifests are checked with kubernetes-validate"
)


def parsed_compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    loaded.pop("x-image")
    return loaded


def documents() -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(LANE.read_text()) if document]


def of_kind(kind: str) -> dict[str, Any]:
    [found] = [document for document in documents() if document["kind"] == kind]
    return found


def test_the_compose_file_is_valid() -> None:
    plain = yaml.safe_dump(parsed_compose())  # anchors and merges resolved
    assert sorted(compose_spec.PyCompose.from_yaml(plain).service_names()) == ["candidate", "gateway", "prod"]


def test_the_check_of_the_compose_file_has_teeth() -> None:
    wrong = parsed_compose()
    wrong["services"]["gateway"]["shm_sise"] = "1g"
    with pytest.raises(ValueError, match="shm_sise"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(wrong))


@pytest.mark.parametrize("document", documents(), ids=lambda document: document["kind"])
def test_the_manifests_are_valid(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.33", strict=True)


def test_the_check_of_the_manifests_has_teeth() -> None:
    wrong = of_kind("Deployment")
    wrong["spec"]["template"]["spec"]["shareProcessNamespaces"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="shareProcessNamespaces"):
        kubernetes_validate.validate(wrong, "1.33", strict=True)


def test_the_shared_memory_holds_the_rings_of_the_containers() -> None:
    compose = parsed_compose()["services"]["gateway"]
    workers = int(compose["command"][compose["command"].index("--workers") + 1])
    config = Config.from_dict(tomllib.loads((COMPOSE.parent / "shadowlane.toml").read_text()))
    found = re.fullmatch(r"(\d+)mb", compose["shm_size"])
    assert found
    assert int(found[1]) * MIB >= workers * (config.lane.ring_bytes + HEADER_BYTES) + CONTROL_BYTES

    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    lane = Config.from_dict(tomllib.loads(of_kind("ConfigMap")["data"]["shadowlane.toml"]))
    [memory] = [volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume]
    assert memory["medium"] == "Memory"
    assert int(memory["sizeLimit"].removesuffix("Mi")) * MIB >= lane.lane.ring_bytes + HEADER_BYTES + CONTROL_BYTES


def test_both_containers_see_one_lane_as_one_user() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    lane = Config.from_dict(tomllib.loads(of_kind("ConfigMap")["data"]["shadowlane.toml"]))
    assert "shareProcessNamespace" not in pod, "who lives crosses pid namespaces"
    assert pod["securityContext"]["runAsUser"], "one user for both: the files are its alone"
    assert all("runAsUser" not in container.get("securityContext", {}) for container in pod["containers"])
    assert lane.lane.worker == "external"
    for container in pod["containers"]:
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert any(lane.lane.directory.startswith(mount + "/") for mount in mounts)
        assert str(lane.store.path).startswith("/data/")
        assert "/data" in mounts
