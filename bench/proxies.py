# SPDX-License-Identifier: MIT
"""The proxies under test: their configurations and how each is started.

All of them listen on one address, spread connections by least connections over the given servers,
use one worker, keep TCP keepalive on towards both sides, check no servers and write no access log.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

LISTEN_PORT = 7000
BACKLOG = 4096
MAX_CONNECTIONS = 9000  # two descriptors each, below the usual limit of 20,000
NGINX_STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


class CannotRun(Exception):
    """This proxy is not here or did not start: it is left out of the results."""


def certificate(directory):
    """One of ECDSA P-256: the files of the certificate, its key, and both in one."""
    cert, key, both = (directory / name for name in ("bench.pem", "bench.key", "both.pem"))
    subprocess.run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=*.bench.example", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    both.write_text(cert.read_text() + key.read_text())
    return cert, key, both


def bare(build, directory, servers, protocol="tcp"):
    host, port = servers[0].rsplit(":", 1)
    program_name = {"tcp": "bench_relay", "http": "bench_http_relay", "udp": "bench_udp_relay"}
    return [str(build / program_name[protocol]), "--listen", f"127.0.0.1:{LISTEN_PORT}",
            "--to", f"{host}:{port}", "--ports", str(len(servers))]


def haproxy(build, directory, servers, splice="# no splice", tls=False):
    ssl = f" ssl crt {certificate(directory)[2]}" if tls else ""
    lines = "\n".join(f"  server s{i} {server}" for i, server in enumerate(servers))
    config = directory / "haproxy.cfg"
    config.write_text(f"""\
global
  nbthread 1
  maxconn {MAX_CONNECTIONS}
  maxpipes 512
defaults
  mode tcp
  {splice}
  option tcpka
  timeout connect 2s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:{LISTEN_PORT} backlog {BACKLOG}{ssl}
  balance leastconn
{lines}
""")
    return [program("haproxy"), "-db", "-f", str(config)]


def haproxy_splice(build, directory, servers):
    return haproxy(build, directory, servers, splice="option splice-auto")


def haproxy_splice_always(build, directory, servers):
    # splice-auto decides seldom, and a long stream may be copied to its end; this splices it.
    return haproxy(build, directory, servers,
                   splice="option splice-request\n  option splice-response")


def nginx(build, directory, servers, protocol="tcp", half_close=False, responses=None,
          tls=False):
    if not os.path.exists(NGINX_STREAM_MODULE):
        raise CannotRun(f"no {NGINX_STREAM_MODULE} (Debian: libnginx-mod-stream)")
    tcp = protocol == "tcp"
    ssl = ""
    if tls:
        cert, key, _ = certificate(directory)
        ssl = f"ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;"
    lines = "\n".join(f"    server {server};" for server in servers)
    config = directory / "nginx.conf"
    config.write_text(f"""\
load_module {NGINX_STREAM_MODULE};
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log crit;
worker_processes 1;
worker_rlimit_nofile {2 * MAX_CONNECTIONS + 1000};
events {{ worker_connections {2 * MAX_CONNECTIONS}; }}
stream {{
  upstream servers {{
    least_conn;
{lines}
  }}
  server {{
    listen 127.0.0.1:{LISTEN_PORT} {f"backlog={BACKLOG} so_keepalive=on" if tcp else "udp"} reuseport{" ssl" if tls else ""};
    {ssl}
    proxy_pass servers;
    proxy_timeout 1h;
    {"proxy_connect_timeout 2s; proxy_socket_keepalive on;" if tcp else ""}
    {"proxy_half_close on;" if half_close else ""}
    {f"proxy_responses {responses};" if responses else ""}
  }}
}}
""")
    return [program("nginx"), "-c", str(config), "-e", f"{directory}/nginx.log"]


def nginx_half_close(build, directory, servers):
    return nginx(build, directory, servers, half_close=True)


def lb(build, directory, servers, protocol="tcp", responses="off", tls=False):
    binary = build / "lb"
    if not binary.exists():
        raise CannotRun(f"no {binary}: build it first")
    ssl = "# no TLS"
    if tls:
        cert, key, _ = certificate(directory)
        ssl = f"tls: {{certificates: [{{certificate: {cert}, key: {key}}}]}}"
    lines = "\n".join(f'      - "{server}"' for server in servers)
    config = directory / "lb.yaml"
    config.write_text(f"""\
runtime: {{workers: 1}}
log: {{level: warning}}
listeners:
  bench:
    address: "127.0.0.1:{LISTEN_PORT}"
    protocol: {protocol}
    {f"backlog: {BACKLOG}" if protocol == "tcp" else f"udp: {{responses: {responses}}}"}
    {ssl}
    pool: servers
pools:
  servers:
    balance: least_connections
    health_check: off
    servers:
{lines}
""")
    return [str(binary), "--config", str(config)]


# Peers are what a ratio compares with: the cheapest of them in the same round.
PROXIES = {"bare": bare, "haproxy": haproxy, "haproxy-splice": haproxy_splice,
           "haproxy-splice-always": haproxy_splice_always, "nginx": nginx,
           "nginx-half-close": nginx_half_close, "lb": lb}
PEERS = ["haproxy", "haproxy-splice", "haproxy-splice-always", "nginx"]
DEFAULT = ["bare", *PEERS, "lb"]
TLS = ["haproxy", "nginx", "lb"]  # those that can end it
UDP = ["bare", "nginx", "lb"]  # those that speak it


def program(name):
    # Not every user's PATH has /usr/sbin.
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise CannotRun(f"{name} is not installed")
    return path


def first_line(command):
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = (answer.stdout or answer.stderr).strip().splitlines()
    return lines[0] if lines else f"exit code {answer.returncode}"


def version(name, build):
    try:
        if name.startswith("haproxy"):
            return first_line([program("haproxy"), "-v"])
        if name.startswith("nginx"):
            return first_line([program("nginx"), "-v"])
        if name == "lb":
            return first_line([str(build / "lb"), "--version"])
    except CannotRun as error:
        return str(error)
    return "of this build"


def on_cpu(cpu):
    return lambda: os.sched_setaffinity(0, {cpu})


def wait_for_port(port, alive, what, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not alive():
            raise CannotRun(f"{what} ended while starting")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise CannotRun(f"{what} does not answer on port {port}")


def wait_for_answer(port, question, alive, what, timeout_s=5.0):
    """The same for datagrams: until something answers the question."""
    deadline = time.monotonic() + timeout_s
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.05)
        client.connect(("127.0.0.1", port))
        while time.monotonic() < deadline:
            if not alive():
                raise CannotRun(f"{what} ended while starting")
            try:
                client.send(question)
                client.recv(65536)
                return
            except ConnectionRefusedError:
                time.sleep(0.02)
            except TimeoutError:
                continue
    raise CannotRun(f"{what} does not answer datagrams on port {port}")


class Proxy:
    """One running proxy, pinned to one CPU. With a question it is one for datagrams."""

    def __init__(self, name, command, directory, cpu, question=None):
        self.name = name
        self.output = open(Path(directory, f"{name}.out"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, preexec_fn=on_cpu(cpu))
        try:
            if question:
                wait_for_answer(LISTEN_PORT, question, lambda: self.process.poll() is None, name)
            else:
                wait_for_port(LISTEN_PORT, lambda: self.process.poll() is None, name)
            if name.startswith("nginx"):
                self.wait_for_worker()
        except CannotRun as error:
            self.stop()
            raise CannotRun(f"{error}: {self.last_words()}") from None

    def wait_for_worker(self):
        """nginx listens before it has forked its worker, whose time is what counts."""
        deadline = time.monotonic() + 5
        while len(self.pids()) < 2:
            if time.monotonic() > deadline:
                raise CannotRun(f"{self.name} started no worker")
            time.sleep(0.01)

    def pids(self):
        """The process and its children: nginx works in a child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid] + [int(pid) for pid in children.split()]

    def memory_kib(self):
        total = {"Rss": 0, "Pss": 0, "Private": 0}
        for pid in self.pids():
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            for key, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE):
                key = "Private" if key.startswith("Private_") else key
                if key in total and key != "Private_Hugetlb":
                    total[key] += int(kib)
        return total

    def last_words(self):
        self.output.flush()
        self.output.seek(0)
        lines = self.output.read().strip().splitlines()
        return lines[-1] if lines else f"it said nothing, exit code {self.process.poll()}"

    def stop(self):
        # The second SIGTERM is for those that drain on the first.
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            self.process.send_signal(number)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                continue
