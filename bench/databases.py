# SPDX-License-Identifier: MIT
"""The scenarios with real servers and their own load programs: Redis and PostgreSQL."""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import machine
import proxies
from scenarios import SERVER_PORT, Failed, NotHere, Scenario, run_load, started

POSTGRES = Path("/usr/lib/postgresql/15/bin")


class Database(Scenario):
    """The load is a program that reads no clocks: all of its run counts, connecting included."""

    def warm_up(self, arguments):
        raise NotImplementedError

    def work(self, arguments):
        """Returns the units done."""
        raise NotImplementedError

    def measure(self, arguments, proxy):
        warmup_units = self.warm_up(arguments)
        pids = proxy.pids()
        cpu_s, wall_s = machine.process_cpu_s(pids), time.monotonic()
        units = self.work(arguments)
        cpu_s, wall_s = machine.process_cpu_s(pids) - cpu_s, time.monotonic() - wall_s
        return {"units": units, "all_units": units + warmup_units, "cpu_s": cpu_s,
                "wall_s": wall_s, "figure": cpu_s * self.scale / units, "busy": cpu_s / wall_s,
                "units_per_s": units / wall_s, "errors": 0}


class Redis(Database):
    WARMUP_REQUESTS = 5000

    def __init__(self):
        super().__init__("redis", "redis-benchmark GET, 50 connections", "µs CPU/request",
                         mode="", connections=50, call_unit="request")
        self.requests_per_s = 0

    @contextlib.contextmanager
    def servers(self, arguments, directory):
        for program in ("redis-server", "redis-benchmark"):
            if shutil.which(program) is None:
                raise NotHere(f"{program} is not installed")
        command = ["redis-server", "--port", str(SERVER_PORT), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--dir", directory]
        with started(command, arguments.load_cpu, stdout=subprocess.DEVNULL) as process:
            proxies.wait_for_port(SERVER_PORT, lambda: process.poll() is None, "redis-server")
            yield [f"127.0.0.1:{SERVER_PORT}"]

    def benchmark(self, arguments, requests):
        run_load(["redis-benchmark", "-h", "127.0.0.1", "-p", str(proxies.LISTEN_PORT),
                  "-c", str(self.connections), "-n", str(requests), "-t", "get", "--csv"],
                 arguments.load_cpu, arguments.seconds + 30)
        return requests

    def warm_up(self, arguments):
        began = time.monotonic()
        units = self.benchmark(arguments, self.WARMUP_REQUESTS)
        self.requests_per_s = units / (time.monotonic() - began)
        return units

    def work(self, arguments):
        # redis-benchmark takes a number, not a time.
        return self.benchmark(arguments, max(1000, int(self.requests_per_s * arguments.seconds)))


class Pgbench(Database):
    def __init__(self):
        super().__init__("pgbench", "pgbench -S, 16 connections", "µs CPU/transaction", mode="",
                         connections=16, call_unit="transaction")
        self.home = None

    @contextlib.contextmanager
    def prepared(self):
        """One cluster for all points; each starts it anew in its own network."""
        if not (POSTGRES / "initdb").exists():
            raise NotHere(f"no {POSTGRES}/initdb")
        with tempfile.TemporaryDirectory(prefix="lb-bench-postgres-") as home:
            self.home = home
            if os.geteuid() == 0:
                account = pwd.getpwnam("postgres")
                os.chown(home, account.pw_uid, account.pw_gid)
            self.as_postgres("initdb", "-D", f"{home}/data", "-A", "trust", "-U", "postgres",
                             "--no-sync", "--locale=C")
            with self.running():
                self.as_postgres("pgbench", "-h", home, "-p", str(SERVER_PORT), "-U", "postgres",
                                 "-i", "-q", "postgres")
            yield

    def command(self, program, *arguments):
        # PostgreSQL refuses to run as root.
        prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        return prefix + [str(POSTGRES / program), *arguments]

    def as_postgres(self, program, *arguments):
        done = subprocess.run(self.command(program, *arguments), capture_output=True, text=True,
                              cwd=self.home, check=False)
        if done.returncode != 0:
            raise Failed(f"{program}: {done.stderr.strip()}")

    @contextlib.contextmanager
    def running(self, cpu=None):
        pin = proxies.on_cpu(cpu) if cpu is not None else None
        start = self.command("pg_ctl", "-D", f"{self.home}/data", "-w", "-s", "-l",
                             f"{self.home}/log", "-o",
                             f"-k {self.home} -p {SERVER_PORT} -c listen_addresses=127.0.0.1 "
                             "-c fsync=off -c max_connections=50", "start")
        done = subprocess.run(start, cwd=self.home, preexec_fn=pin,
                              stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise Failed("PostgreSQL did not start: " + Path(self.home, "log").read_text()[-500:])
        try:
            yield
        finally:
            self.as_postgres("pg_ctl", "-D", f"{self.home}/data", "-w", "-s", "-m", "immediate",
                             "stop")

    @contextlib.contextmanager
    def servers(self, arguments, directory):
        with self.running(arguments.load_cpu):
            yield [f"127.0.0.1:{SERVER_PORT}"]

    def benchmark(self, arguments, seconds):
        text = run_load(
            [str(POSTGRES / "pgbench"), "-h", "127.0.0.1", "-p", str(proxies.LISTEN_PORT),
             "-U", "postgres", "-S", "-n", "-c", str(self.connections), "-T", str(seconds),
             "postgres"],
            arguments.load_cpu, seconds + 30,
            env={**os.environ, "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"})
        match = re.search(r"actually processed: (\d+)", text)
        if match is None or int(match.group(1)) == 0:
            raise Failed("pgbench did no transaction")
        return int(match.group(1))

    def warm_up(self, arguments):
        return self.benchmark(arguments, 1)  # pgbench takes whole seconds

    def work(self, arguments):
        return self.benchmark(arguments, max(1, round(arguments.seconds)))
