# SPDX-License-Identifier: MIT
"""The scenarios: which servers stand behind the proxy, what the load does, what is counted."""

import contextlib
import json
import subprocess
import time

import machine
import proxies

SERVER_PORT = 5000  # the first; a thousand more follow it
WARMUP_S = 0.3


class Failed(Exception):
    """A run that gives no figure: the proxy or its traffic broke."""


class NotHere(Exception):
    """What a scenario needs is not installed."""


def run_load(command, cpu, timeout_s, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s,
                              preexec_fn=proxies.on_cpu(cpu), check=False, **options)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} did not end") from None
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(f"exit code {done.returncode}: {words[-1] if words else 'no message'}")
    return done.stdout


@contextlib.contextmanager
def started(command, cpu, **options):
    process = subprocess.Popen(command, preexec_fn=proxies.on_cpu(cpu), **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Scenario:
    """Our own load against our own servers; the figure is CPU per unit."""

    counts_syscalls = True
    proxy_options = {}  # of its configuration
    own_proxies = ()  # which it compares, whatever is asked for
    start_s = 0  # what the load takes at most before it measures
    question = None  # to wait for an answer to, where the proxy takes datagrams

    def __init__(self, name, title, unit, mode, connections, servers=1, server_mode="echo",
                 scale=1e6, sources=1, call_unit="unit"):
        self.name, self.title, self.unit = name, title, unit
        self.mode, self.connections, self.sources = mode, connections, sources
        self.server_count, self.server_mode = servers, server_mode
        self.scale, self.call_unit = scale, call_unit
        self.server_pid = 0  # of the point under way

    def fits(self, proxy_name):
        """Whether this proxy can do it at all."""
        return proxy_name in proxies.PROXIES

    def prepared(self):
        """Around all points of the scenario."""
        return contextlib.nullcontext()

    def proxy_command(self, name, build, directory, servers):
        """Writes the proxy's configuration; the command that runs it."""
        options = dict(self.proxy_options or {})
        if self.question:
            options["protocol"] = "udp"
        return proxies.PROXIES[name](build, directory, servers, **options)

    @contextlib.contextmanager
    def servers(self, arguments, directory):
        """Around one point: yields the addresses of the servers."""
        command = [*self.server_command(arguments), "--listen", f"127.0.0.1:{SERVER_PORT}",
                   "--ports", str(self.server_count)]
        with started(command, arguments.load_cpu, stdout=subprocess.PIPE) as process:
            if process.stdout.readline() != b"listening\n":
                raise Failed("the servers did not start")
            self.server_pid = process.pid
            yield [f"127.0.0.1:{SERVER_PORT + i}" for i in range(self.server_count)]

    def server_command(self, arguments):
        return [str(arguments.build / "bench_server"), "--mode", self.server_mode]

    def load_program(self, arguments):
        return [str(arguments.build / "bench_load"), "--mode", self.mode,
                "--connections", str(self.connections), "--sources", str(self.sources)]

    def load_command(self, arguments, proxy):
        return [*self.load_program(arguments), "--target", f"127.0.0.1:{proxies.LISTEN_PORT}",
                "--warmup", str(WARMUP_S), "--seconds", str(arguments.seconds),
                "--pids", ",".join(map(str, proxy.pids())),
                "--server-pids", str(self.server_pid), "--softirq-pids",
                ",".join(map(str, machine.softirq_pids(arguments.proxy_cpu)))]

    def measure(self, arguments, proxy):
        text = run_load(self.load_command(arguments, proxy), arguments.load_cpu,
                        arguments.seconds + 30 + self.start_s)
        point = json.loads(text)
        if point["units"] == 0:
            raise Failed("no unit of work was done")
        if point["cpu_s"] <= 0:
            raise Failed("the proxy used no CPU: these are not the processes that work")
        point["figure"] = point["cpu_s"] * self.scale / point["units"]
        point["all_ends"] = point["all_cpu_s"] * self.scale / point["units"]
        point["busy"] = point["cpu_s"] / point["wall_s"]
        point["units_per_s"] = point["units"] / point["wall_s"]
        return point


class Bulk(Scenario):
    """Counts in bytes; shown per GB (10⁹ bytes), for system calls per MB."""

    def __init__(self, name, title, mode, connections, server_mode):
        super().__init__(name, title, "ms CPU/GB", mode, connections, server_mode=server_mode,
                         scale=1e12, call_unit="MB")

    def measure(self, arguments, proxy):
        point = super().measure(arguments, proxy)
        point["all_units"] /= 1e6
        return point


class Handshakes(Scenario):
    """Clients that come by TLS of one version, each for one exchange."""

    proxy_options = {"tls": True}

    def __init__(self, name, title, version, resumes):
        super().__init__(name, title, "µs CPU/connection", "", 32, servers=8, sources=8,
                         call_unit="connection")
        self.version, self.resumes = version, resumes

    def fits(self, proxy_name):
        return proxy_name in proxies.TLS

    def load_program(self, arguments):
        return [str(arguments.build / "bench_handshake_load"), "--tls", str(self.version),
                "--resume", str(int(self.resumes)), "--connections", str(self.connections),
                "--sources", str(self.sources)]


class Idle(Scenario):
    """Memory of open connections that say nothing any more."""

    counts_syscalls = False

    def measure(self, arguments, proxy):
        before = proxy.memory_kib()
        with started(self.load_command(arguments, proxy), arguments.load_cpu,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE) as load:
            if not load.stdout.readline().startswith(b'{"held"'):
                raise Failed("the connections could not be opened")
            time.sleep(0.5)  # what a proxy gives back soon counts as given back
            after = proxy.memory_kib()
        per_connection = {key: (after[key] - before[key]) / self.connections for key in after}
        return {"figure": per_connection["Rss"], "per_connection_kib": per_connection,
                "start_kib": before}


SHORT = "connect, 64 B each way, close; 64 at a time, "
HANDSHAKE = "connect, whole handshake (ECDSA P-256), 64 B each way, close; "
RESUMED = "the same with a session taken up, "
SCENARIOS = {scenario.name: scenario for scenario in [
    Scenario("tcp-rr", "64 B there and back on 64 connections", "µs CPU/round trip", "rr", 64,
             call_unit="round trip"),
    Scenario("tcp-rr-512", "64 B there and back on 512 connections", "µs CPU/round trip", "rr",
             512, call_unit="round trip"),
    Scenario("tcp-conn", SHORT + "8 servers", "µs CPU/connection", "conn", 64, servers=8,
             sources=8, call_unit="connection"),
    Scenario("tcp-conn-2", SHORT + "2 servers", "µs CPU/connection", "conn", 64, servers=2,
             sources=8, call_unit="connection"),
    Scenario("tcp-conn-1000", SHORT + "1,000 servers", "µs CPU/connection", "conn", 64,
             servers=1000, sources=8, call_unit="connection"),
    Bulk("tcp-bulk-1", "one stream, server to client", "bulk", 1, "source"),
    Bulk("tcp-bulk-8", "8 streams, server to client", "bulk", 8, "source"),
    Bulk("tcp-upload-1", "one stream, client to server", "upload", 1, "sink"),
    Bulk("tcp-upload-8", "8 streams, client to server", "upload", 8, "sink"),
    Handshakes("handshakes-13", HANDSHAKE + "TLS 1.3", 13, False),
    Handshakes("handshakes-13-resumed", RESUMED + "TLS 1.3", 13, True),
    Handshakes("handshakes-12", HANDSHAKE + "TLS 1.2", 12, False),
    Handshakes("handshakes-12-resumed", RESUMED + "TLS 1.2", 12, True),
    Idle("tcp-idle", "4,000 open connections after one exchange", "KiB/connection", "idle", 4000),
]}
