"""What lies in ``deploy/``, read as those read it that it is for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
OWN_IMAGE = re.compile(r"(?:registry\.example\.org/)?shadowlane:")
_UNIT = re.compile(r"^ExecStart=\S*/shadowlane (.*)$", re.MULTILINE)
_HEALTH = re.compile(r"^HEALTHCHECK .*CMD (\[.*\])$", re.MULTILINE)


def manifests() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each document of the Kubernetes form, but for kustomize's own and its patches."""
    for file in sorted((DEPLOY / "kubernetes").rglob("*.yaml")):
        if file.name != "kustomization.yaml" and file not in patches(file.parent):
            for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
                yield file, document


def patches(form: Path) -> list[Path]:
    """What kustomize changes of the forms that this one is made of."""
    named = yaml.safe_load((form / "kustomization.yaml").read_text(encoding="utf-8"))
    return [form / one["path"] for one in named.get("patches", ())]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The pod of each workload, and which it is."""
    for file, document in manifests():
        if document["kind"] in ("StatefulSet", "DaemonSet", "Deployment"):
            yield f"{file.parent.name}/{document['metadata']['name']}", document["spec"]["template"]["spec"]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def compose_offload() -> dict[str, Any]:
    """The compose file with ``offload.yaml`` over it, by the rules of the Compose specification for what is in them:
    members are put together, volumes of one place are the later one's, other lists are joined."""
    over = yaml.safe_load((DEPLOY / "compose" / "offload.yaml").read_text(encoding="utf-8"))
    return _merged(compose(), over)


def _merged(one: dict[str, Any], over: dict[str, Any], name: str = "") -> dict[str, Any]:
    found = dict(one)
    for key, value in over.items():
        before = found.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            found[key] = _merged(before, value, key)
        elif key == "volumes" and isinstance(before, list):
            places = {volume.split(":")[1]: volume for volume in (*before, *value)}
            found[key] = list(places.values())
        elif isinstance(before, list):
            found[key] = [*before, *(item for item in value if item not in before)]
        else:
            found[key] = value
    return found


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Every command of ours that something in ``deploy/`` runs, with where that is; the arguments after the name."""
    for where, pod in pods():
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            if "args" in container and "command" not in container:
                yield f"{where}: {container['name']}", container["args"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                command = container.get(probe, {}).get("exec", {}).get("command")
                if command:
                    yield f"{where}: {container['name']}: {probe}", _own(command)
    for name, service in compose_offload()["services"].items():
        if OWN_IMAGE.match(service.get("image", "")):
            yield f"compose: {name}", service["command"]
    for file in sorted((DEPLOY / "systemd").glob("*.service")):
        for line in _UNIT.findall(file.read_text(encoding="utf-8")):
            named = {"%i": "lane", "${UPSTREAM}": "http://127.0.0.1:9000", "${LISTEN}": "127.0.0.1:8000"}
            for before, after in named.items():
                line = line.replace(before, after)
            yield file.name, shlex.split(line)
    containerfile = (DEPLOY / "container" / "Containerfile").read_text(encoding="utf-8")
    for found in _HEALTH.findall(containerfile):
        yield "Containerfile: health", _own(yaml.safe_load(found))


def _own(command: list[str]) -> list[str]:
    assert command[0] == "shadowlane"
    return command[1:]
