"""The upstreams, and the proxies in front of each: nginx, Envoy and ours, one process or thread each that serves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ..peers.processes import Server, free_port
from ..peers.servers import envoy_binary, nginx_binary

__all__ = ["events_upstream", "files_upstream", "proxies"]

_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log {folder}/{name}.error.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi;
  uwsgi_temp_path {folder}/{name}-uwsgi;
  scgi_temp_path {folder}/{name}-scgi;
  keepalive_requests 1000000;
  keepalive_timeout 600;
  {inside}
}}
"""
_CONFIG = """\
[lane]
directory = "{lane}"
worker = "external"
[sampling]
ratio = 1e-9
[shadows.none]
url = "http://127.0.0.1:1"
"""
_HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _nginx(folder: Path, name: str, inside: str, port: int) -> Server:
    binary = nginx_binary()
    if binary is None:
        raise RuntimeError("nginx is not installed: apt-get install nginx-light")
    config = folder / f"{name}.conf"
    config.write_text(_NGINX.format(folder=folder, name=name, inside=inside))
    return Server([binary, "-c", str(config), "-p", str(folder)], port, folder / f"{name}.log")


def files_upstream(folder: Path, *, http2: bool) -> Server:
    """nginx with two files, ``/small`` (1 KiB) and ``/large`` (64 KiB)."""
    root = folder / "files"
    root.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)  # its worker may be another user
    (root / "small").write_bytes(b"s" * 1024)
    (root / "large").write_bytes(b"l" * 65536)
    port = free_port()
    listen = f"127.0.0.1:{port}{' http2' if http2 else ''}"
    inside = f"server {{ listen {listen} backlog=1024; root {root}; open_file_cache max=10; }}"
    return _nginx(folder, f"files{'-http2' if http2 else ''}", inside, port)


def events_upstream(folder: Path) -> Server:
    """``/events``: see :mod:`.events`."""
    port = free_port()
    return Server([sys.executable, "-m", "benches.proxy.events", str(port)], port, folder / "events.log")


def proxies(folder: Path, upstream: int, against: str, *, http2: bool) -> dict[str, Server]:
    """The proxies in front of ``upstream``; without those that are not installed. ``against`` is the ``python`` folder
    of another version of ours."""
    made = {"ours": _ours(folder, upstream, "", http2=http2)}
    if against and not http2:
        made["ours, the other version"] = _ours(folder, upstream, against, http2=http2)
    if nginx_binary() and not http2:  # which it does not speak upstream
        port = free_port()
        inside = (
            f"upstream prod {{ server 127.0.0.1:{upstream}; keepalive 64; }} "
            f"server {{ listen 127.0.0.1:{port} backlog=1024; "
            'location / { proxy_pass http://prod; proxy_http_version 1.1; proxy_set_header Connection ""; } }'
        )
        made["nginx"] = _nginx(folder, f"nginx-{upstream}", inside, port)
    if envoy_binary():
        made["Envoy"] = _envoy(folder, upstream, http2=http2)
    return made


def _ours(folder: Path, upstream: int, against: str, *, http2: bool) -> Server:
    port = free_port()
    config = folder / f"ours-{port}.toml"
    config.write_text(_CONFIG.format(lane=folder / f"lane-{port}"))
    command = [sys.executable, "-m", "shadowlane", "proxy", "--upstream", f"http://127.0.0.1:{upstream}"]
    command += ["--listen", f"127.0.0.1:{port}", "--config", str(config)]
    command += ["--http2", "--upstream-http2"] if http2 else []
    env = {"PYTHONPATH": against} if against else {}
    return Server(command, port, folder / f"ours-{port}.log", env=env)


def _envoy(folder: Path, upstream: int, *, http2: bool) -> Server:
    port = free_port()
    extensions = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "all",
        "generate_request_id": False,
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "prod"}}]}
            ]
        },
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{extensions}.http.router.v3.Router"}}],
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}
    cluster: dict[str, object] = {
        "name": "prod",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "prod",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    if http2:
        options = {"explicit_http_config": {"http2_protocol_options": {}}}
        cluster["typed_extension_protocol_options"] = {_HTTP2: {"@type": f"type.googleapis.com/{_HTTP2}", **options}}
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    file = folder / f"envoy-{port}.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    command = [str(envoy_binary()), "-c", str(file), "--concurrency", "1", "--disable-hot-restart"]
    return Server([*command, "--log-level", "error"], port, folder / f"envoy-{port}.log")
