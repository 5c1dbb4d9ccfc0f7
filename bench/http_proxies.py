# SPDX-License-Identifier: MIT
"""The proxies as HTTP balancers: what proxies.py holds for TCP.

All of them keep connections on both sides, choose by least connections, add and remove as little
as they may, check no servers and write no access log. Each takes Setup, what a scenario asks for.
"""

import dataclasses
import subprocess

from proxies import BACKLOG, LISTEN_PORT, MAX_CONNECTIONS, CannotRun, bare, program

KEPT = 64  # connections to a server that nginx and lb keep


@dataclasses.dataclass(frozen=True)
class Setup:
    tls: bool = False
    routes: int = 1  # hosts r0.bench.example, r1.bench.example, ...: all lead to the same servers
    users: int = 0  # who bring tokens
    asking: int = 1  # so many of them go on
    http2: bool = False  # what clients speak, in clear with prior knowledge
    http2_servers: bool = False
    messages: bool = True  # each fits into one read


def hosts(setup):
    return [f"r{i}.bench.example" for i in range(setup.routes)]


def certificate(directory):
    """One certificate of ECDSA P-256: (certificate file, key file, both in one file)."""
    cert, key, both = (directory / name for name in ("bench.pem", "bench.key", "both.pem"))
    subprocess.run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=*.bench.example", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    both.write_text(cert.read_text() + key.read_text())
    return cert, key, both


def haproxy(build, directory, servers, setup, splice="# no splice"):
    proto = " proto h2" if setup.http2_servers else ""
    lines = "\n".join(f"  server s{i} {server}{proto}" for i, server in enumerate(servers))
    tls = f" ssl crt {certificate(directory)[2]} alpn http/1.1" if setup.tls else ""
    if setup.http2:
        tls = tls.replace("alpn http/1.1", "alpn h2") if setup.tls else " proto h2"
    (directory / "hosts.map").write_text("".join(f"{host} servers\n" for host in hosts(setup)))
    route = (f"use_backend %[req.hdr(host),map({directory}/hosts.map)]" if setup.routes > 1
             else "default_backend servers")
    config = directory / "haproxy.cfg"
    config.write_text(f"""\
global
  nbthread 1
  maxconn {MAX_CONNECTIONS}
  maxpipes 512
defaults
  mode http
  {splice}
  option tcpka
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
frontend bench
  bind 127.0.0.1:{LISTEN_PORT} backlog {BACKLOG}{tls}
  {route}
backend servers
  balance leastconn
{lines}
""")
    return [program("haproxy"), "-db", "-f", str(config)]


def haproxy_splice(build, directory, servers, setup):
    return haproxy(build, directory, servers, setup, splice="option splice-auto")


def nginx(build, directory, servers, setup):
    lines = "\n".join(f"    server {server};" for server in servers)
    tls = " ssl" if setup.tls else ""
    files = ""
    if setup.tls:
        cert, key, _ = certificate(directory)
        files = (f"ssl_certificate {cert}; ssl_certificate_key {key};\n"
                 "  ssl_session_cache shared:tls:10m;")
    listen = f"listen 127.0.0.1:{LISTEN_PORT}{tls}{' http2' if setup.http2 else ''}"
    names = hosts(setup) if setup.routes > 1 else ["_"]
    to_servers = "grpc_pass grpc://servers" if setup.http2_servers else "proxy_pass http://servers"
    blocks = "\n".join(
        # The options of a socket are given once.
        f"  server {{ {listen}{f' backlog={BACKLOG} reuseport so_keepalive=on' if i == 0 else ''}; "
        f"server_name {name}; location / {{ {to_servers}; }} }}"
        for i, name in enumerate(names))
    config = directory / "nginx.conf"
    config.write_text(f"""\
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log crit;
worker_processes 1;
worker_rlimit_nofile {2 * MAX_CONNECTIONS + 1000};
events {{ worker_connections {2 * MAX_CONNECTIONS}; }}
http {{
  access_log off;
  server_tokens off;
  server_names_hash_max_size 4096;
  server_names_hash_bucket_size 128;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  scgi_temp_path {directory}/scgi;
  uwsgi_temp_path {directory}/uwsgi;
  {files}
  upstream servers {{
    least_conn;
{lines}
    keepalive {KEPT};
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_max_temp_file_size 0;
  proxy_connect_timeout 2s;
  proxy_read_timeout 1h;
  proxy_socket_keepalive on;
{blocks}
}}
""")
    return [program("nginx"), "-c", str(config), "-e", f"{directory}/nginx.log"]


def lb(build, directory, servers, setup, sections="", balance="least_connections", sticky=""):
    binary = build / "lb"
    if not binary.exists():
        raise CannotRun(f"no {binary}: build it first")
    tls = ""
    if setup.tls:
        cert, key, _ = certificate(directory)
        tls = f"tls: {{certificates: [{{certificate: {cert}, key: {key}}}]}}"
    target = "pool: servers"
    if setup.routes > 1:
        target = "routes:\n" + "\n".join(f"      - {{match: {{host: {host}}}, pool: servers}}"
                                         for host in hosts(setup))
    lines = "\n".join(f'      - "{server}"' for server in servers)
    config = directory / "lb.yaml"
    config.write_text(f"""\
runtime: {{workers: 1}}
log: {{level: warning}}
{sections}
listeners:
  bench:
    address: "127.0.0.1:{LISTEN_PORT}"
    protocol: http
    backlog: {BACKLOG}
    timeouts: {{keep_alive: 1h}}
    {tls}
    {target}
pools:
  servers:
    balance: {balance}
    health_check: off
    keep_alive_connections: {KEPT}
    protocol: {"h2" if setup.http2_servers else "http/1.1"}
    {sticky}
    servers:
{lines}
""")
    return [str(binary), "--config", str(config)]


def lb_sticky(build, directory, servers, setup):
    (directory / "secret").write_text("the secret of the bench, 32 bytes")
    return lb(build, directory, servers, setup,
              sections=f"jwt: {{bench: {{algorithms: HS256, secret_file: {directory}/secret}}}}",
              sticky=f"sticky: {{by: jwt, jwt: bench, max_entries: {setup.users}}}")


def lb_hash(build, directory, servers, setup):
    return lb(build, directory, servers, setup, balance="hash", sticky="hash_on: header:authorization")


def bare_relay(build, directory, servers, setup):
    return bare(build, directory, servers, "http" if setup.messages else "tcp")


PROXIES = {"bare": bare_relay, "haproxy": haproxy, "haproxy-splice": haproxy_splice,
           "nginx": nginx, "lb": lb}
# What scenarios with users compare: the same requests with and without stickiness.
# The hash sends each user to a server too, and knows nothing of tokens.
WITH_USERS = {"lb": lb, "lb-sticky": lb_sticky, "lb-hash": lb_hash}
ALL = {**PROXIES, **WITH_USERS}
