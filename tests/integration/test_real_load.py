# SPDX-License-Identifier: MIT
"""Real clients by the dozen, two real servers, and one that dies among them."""

import os
import re
import statistics
import subprocess
import threading
import time

import pytest
from lbtest import PostgresServer, RedisServer, connect, tcp_config, wait_until

CHECK = {"interval": "500ms", "fast_interval": "200ms", "timeout": "300ms", "fall": 2}
RUNTIME = {"workers": 2, "drain_timeout": "1s"}
CLIENTS = 8


def two(make):
    servers = [make(), make()]
    yield servers
    for one in servers:
        one.stop()


@pytest.fixture(scope="module")
def databases():
    """Two PostgreSQL servers with the tables of pgbench."""
    for servers in two(PostgresServer):
        for one in servers:
            done = run("pgbench", "-i", "-q", *where(one.address), "postgres")
            assert done.returncode == 0, done.stderr
        yield servers


@pytest.fixture
def stores():
    """Two Redis servers."""
    yield from two(RedisServer)


def through(lb, *servers):
    """lb in front of these, once its checks have found them all healthy and every worker knows."""
    config = tcp_config(*servers, pool={"health_check": CHECK}, runtime=RUNTIME)
    proxy = lb(config)
    for one in servers:
        proxy.wait_log(f"{one.address} is healthy")
    proxy.reload(config)
    return proxy


def where(address):
    host, _, port = address.rpartition(":")
    return ["-h", host, "-p", port, "-U", "postgres"]


def start(*command):
    env = {**os.environ, "PGSSLMODE": "disable"}
    return subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(*command, timeout_s=150):
    process = start(*command)
    out, err = process.communicate(timeout=timeout_s)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def pgbench(proxy, *options):
    return ["pgbench", "-n", "-S", "-c", str(CLIENTS), *options,
            *where(proxy.address), "postgres"]


@pytest.mark.parametrize("options", [
    ["-M", "simple", "-t", "500"], ["-M", "extended", "-t", "500"], ["-M", "prepared", "-t", "500"],
    ["-C", "-t", "20"],
], ids=" ".join)
def test_pgbench_runs_through_lb(lb, databases, options):
    proxy = through(lb, *databases)
    done = run(*pgbench(proxy, *options))
    assert done.returncode == 0, done.stderr
    transactions = CLIENTS * int(options[-1])
    assert f"processed: {transactions}/{transactions}" in done.stdout
    assert "failed transactions: 0 " in done.stdout


def test_a_killed_database_ends_its_own_connections_only(lb, databases):
    proxy = through(lb, *databases)
    load = start(*pgbench(proxy, "-T", "5", "-P", "1"))
    wait_until(lambda: sum(clients_of(one) for one in databases) >= CLIENTS, "all are connected")
    time.sleep(1)
    dead, alive = databases
    dead.kill()
    for _ in range(6):
        assert alive.sql("select 6 * 7", address=proxy.address) == "42"
    _, err = load.communicate(timeout=60)
    aborted = re.findall(r"client \d+ aborted", err)
    assert len(aborted) == CLIENTS // 2, err
    rates = [float(rate) for rate in re.findall(r"progress: .* ([\d.]+) tps", err)]
    assert len(rates) >= 4 and statistics.median(rates[2:]) > 100, err
    dead.start_again()
    proxy.wait_log(r"is healthy \(was unhealthy\)")
    for _ in range(4):
        assert alive.sql("select 6 * 7", address=proxy.address) == "42"


def clients_of(database):
    return int(database.sql(
        "select count(*) from pg_stat_activity where application_name = 'pgbench'"))


@pytest.mark.parametrize("options", [
    ["-c", "50", "-n", "20000", "-t", "ping,set,get,lpush,lrange_100"],
    ["-c", "50", "-n", "50000", "-P", "16", "-t", "set,get"],
    ["-c", "10", "-n", "2000", "-d", "100000", "-t", "set,get"],
    ["-c", "20", "-n", "2000", "-k", "0", "-t", "ping"],
], ids=" ".join)
def test_redis_benchmark_runs_through_lb(lb, stores, options):
    proxy = through(lb, *stores)
    host, _, port = proxy.address.rpartition(":")
    done = run("redis-benchmark", "-h", host, "-p", port, "-q", *options)
    assert done.returncode == 0 and "rror" not in done.stdout + done.stderr, done
    assert done.stdout.count("requests per second") >= len(options[-1].split(","))
    commands = [processed(one) for one in stores]
    assert min(commands) > 100, commands


def processed(store):
    return int(re.search(r"total_commands_processed:(\d+)", store.command("INFO", "stats"))[1])


def test_redis_cli_speaks_through_lb(lb, stores):
    proxy = through(lb, *stores)
    for number in range(10):
        assert stores[0].command("ECHO", str(number), address=proxy.address) == str(number)


class Pinger(threading.Thread):
    """A client that says PING without end, and when its server is gone begins anew."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.lost = 0  # connections
        self.answers = 0
        self.longest_s = 0.0
        self.done = False
        self.start()

    def run(self):
        while not self.done:
            with connect(self.address) as client:
                self.lost += not self.speak(client)

    def speak(self, client):
        while not self.done:
            began = time.monotonic()
            try:
                assert client.send(b"PING\r\n").receive(7) == b"+PONG\r\n"
                self.answers += 1
            except (OSError, AssertionError):
                return False
            finally:
                self.longest_s = max(self.longest_s, time.monotonic() - began)
        return True


def test_clients_of_a_killed_store_go_on_at_the_other(lb, stores):
    proxy = through(lb, *stores)
    pingers = [Pinger(proxy.address) for _ in range(CLIENTS)]
    wait_until(lambda: min(one.answers for one in pingers) > 100, "all are answered")
    stores[0].kill()
    answers = [one.answers for one in pingers]
    wait_until(lambda: all(one.answers > before + 100 for one, before in zip(pingers, answers)),
               "all are answered again")
    for one in pingers:
        one.done = True
    for one in pingers:
        one.join(60)
        assert not one.is_alive()
    # A server that dies may still take one more connection and drop it.
    lost = sorted(one.lost for one in pingers)
    assert lost[: CLIENTS // 2] == [0] * (CLIENTS // 2) and max(lost) <= 2, lost
    assert max(one.longest_s for one in pingers) < 5.0
