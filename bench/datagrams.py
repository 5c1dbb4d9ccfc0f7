# SPDX-License-Identifier: MIT
"""The scenarios of datagrams: our own load and echo servers, and dnsperf with a real DNS server."""

import contextlib
import re
import shutil
import struct
import time
from pathlib import Path

import machine
import proxies
from scenarios import SERVER_PORT, Failed, NotHere, Scenario, run_load, started


class Datagrams(Scenario):
    """A unit is a datagram through the proxy: an answered one counts twice."""

    question = b"ready?"

    def __init__(self, name, title, clients, size, window, servers):
        super().__init__(name, title, "µs CPU/datagram", "", clients, servers=servers,
                         call_unit="datagram")
        self.size, self.window = size, window

    def fits(self, proxy_name):
        return proxy_name in proxies.UDP

    def server_command(self, arguments):
        return [str(arguments.build / "bench_udp_server")]

    def load_program(self, arguments):
        return [str(arguments.build / "bench_udp_load"), "--clients", str(self.connections),
                "--size", str(self.size), "--window", str(self.window)]

    def measure(self, arguments, proxy):
        point = super().measure(arguments, proxy)
        point["lost"] = point.pop("errors")
        return point


class Dns(Scenario):
    """dnsperf reads no clocks: all of its run counts, after a run to warm up."""

    question = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\x07example\0\0\x06\0\x01"  # SOA of example
    WARMUP_S = 1

    def __init__(self, name, title, proxy_options):
        super().__init__(name, f"dnsperf, 64 client ports, nsd{title}", "µs CPU/query", "", 64,
                         call_unit="query")
        self.proxy_options = proxy_options

    def fits(self, proxy_name):
        # The bare relay keeps its sessions for ever.
        return proxy_name in proxies.UDP and not (self.proxy_options and proxy_name == "bare")

    @contextlib.contextmanager
    def servers(self, arguments, directory):
        if shutil.which("dnsperf") is None:
            raise NotHere("dnsperf is not installed")
        try:
            nsd = proxies.program("nsd")
        except proxies.CannotRun as error:
            raise NotHere(str(error)) from None
        directory = Path(directory)
        (directory / "zone").write_text(
            "$ORIGIN example.\n$TTL 60\n@ SOA ns admin 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n" +
            "".join(f"host{number} A 10.0.0.{number}\n" for number in range(100)))
        (directory / "queries").write_text(
            "".join(f"host{number}.example A\n" for number in range(100)))
        (directory / "nsd.conf").write_text(f"""\
server:
  ip-address: 127.0.0.1@{SERVER_PORT}
  username: ""
  zonesdir: "{directory}"
  database: ""
  zonelistfile: "{directory}/zones"
  xfrdfile: "{directory}/xfrd"
  xfrdir: "{directory}"
  pidfile: ""
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: example
  zonefile: zone
""")
        self.queries = directory / "queries"
        with open(directory / "nsd.out", "wb") as output, \
                started([nsd, "-d", "-c", str(directory / "nsd.conf")], arguments.load_cpu,
                        stdout=output, stderr=output) as process:
            proxies.wait_for_answer(SERVER_PORT, self.question,
                                    lambda: process.poll() is None, "nsd")
            yield [f"127.0.0.1:{SERVER_PORT}"]

    def dnsperf(self, arguments, seconds):
        """Returns how many queries were sent, and how many were not answered."""
        said = run_load(["dnsperf", "-s", "127.0.0.1", "-p", str(proxies.LISTEN_PORT),
                         "-d", str(self.queries), "-c", str(self.connections), "-T", "1",
                         "-q", str(2 * self.connections), "-t", "1", "-l", str(seconds)],
                        arguments.load_cpu, seconds + 30)
        sent = re.search(r"Queries sent:\s+(\d+)", said)
        lost = re.search(r"Queries lost:\s+(\d+)", said)
        good = re.search(r"Response codes:\s+NOERROR \d+ \(100\.00%\)", said)
        if not (sent and lost and good):
            raise Failed("dnsperf: " + " ".join(said.split()))
        return int(sent[1]), int(lost[1])

    def measure(self, arguments, proxy):
        warmup_units, _ = self.dnsperf(arguments, self.WARMUP_S)
        pids = proxy.pids()
        cpu_s, wall_s = machine.process_cpu_s(pids), time.monotonic()
        units, lost = self.dnsperf(arguments, max(1, round(arguments.seconds)))
        cpu_s, wall_s = machine.process_cpu_s(pids) - cpu_s, time.monotonic() - wall_s
        return {"units": units, "all_units": units + warmup_units, "cpu_s": cpu_s,
                "wall_s": wall_s, "figure": cpu_s * self.scale / units, "busy": cpu_s / wall_s,
                "units_per_s": units / wall_s, "lost": lost}


SCENARIOS = {scenario.name: scenario for scenario in [
    Datagrams("udp-rr", "64 B there and back, 1,000 client ports", 1000, 64, 1, 2),
    Datagrams("udp-bulk", "1,200 B both ways, 4 sessions with 64 under way each", 4, 1200, 64, 1),
    Dns("dns", "", {}),
    Dns("dns-sessions", "; a session for each query", {"responses": 1}),
]}
