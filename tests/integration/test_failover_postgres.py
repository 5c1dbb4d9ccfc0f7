# SPDX-License-Identifier: MIT
"""PostgreSQL, a primary and its streaming replica, behind a pool for writes and one for reads."""

import asyncio
import collections
import pathlib
import time

import pytest
from lbtest import PostgresServer, free_port, in_background, wait_until
from lbtest.pgwire import Refused, execute

CHECK = {"type": "postgres", "user": "checker", "database": "postgres", "interval": "300ms",
         "fast_interval": "100ms", "timeout": "5s", "rise": 1, "fall": 2}


@pytest.fixture
def primary():
    server = PostgresServer(max_connections=150)
    server.sql("create table log (writer int, backend int default pg_backend_pid())")
    yield server
    server.stop()


@pytest.fixture
def replica(primary):
    server = PostgresServer(replica_of=primary, max_connections=150)
    yield server
    server.stop()


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "password"
    path.write_text(PostgresServer.PASSWORD + "\n")
    return str(path)


class Cluster:
    """lb in front of both servers, with a listener for writes and one for reads."""

    def __init__(self, lb, servers, password_file, write=None, read=None, limit="off", workers=2):
        check = {**CHECK, "password_file": password_file}
        self.write = f"127.0.0.1:{free_port()}"
        self.read = f"127.0.0.1:{free_port()}"
        named = [{"name": name, "address": server.address,
                  "max_connections": limit} for name, server in servers.items()]
        self.proxy = lb({
            "runtime": {"workers": workers},
            "listeners": {
                "write": {"address": self.write, "protocol": "tcp", "pool": "write"},
                "read": {"address": self.read, "protocol": "tcp", "pool": "read"},
            },
            "pools": {
                "write": {"servers": named, "on_down": "close", **(write or {}),
                          "health_check": {**check, "role": "primary"}},
                "read": {"servers": named,
                         "health_check": {**check, "role": "replica", **(read or {})}},
            },
        })

    def wait_settled(self):
        for words in ("write/a is healthy", "write/b is unhealthy .*: is a replica, no primary",
                      "read/a is unhealthy .*: is a primary, no replica", "read/b is healthy"):
            self.proxy.wait_log(words)
        return self


class Writers:
    """A client after the other writes a row, many a second; how each fared."""

    def __init__(self, address):
        self.fared = collections.Counter()
        self._is_over = False
        self._address = address
        self._work = in_background(asyncio.run, self._write())

    async def _write(self):
        while not self._is_over:
            try:
                await execute(self._address, "insert into log (writer) values (0)")
                self.fared["written"] += 1
            except Refused as refusal:
                self.fared[str(refusal)] += 1
            except (OSError, EOFError):
                self.fared["cut"] += 1
            await asyncio.sleep(0.02)

    def written(self):
        return self.fared["written"]

    def end(self):
        self._is_over = True
        self._work.result()
        return self.fared


def test_writes_follow_the_primary_and_never_reach_a_replica(lb, primary, replica, password_file):
    cluster = Cluster(lb, {"a": primary, "b": replica}, password_file).wait_settled()
    wait_until(lambda: replica.sql("select pg_is_in_recovery()", address=cluster.read) == "t",
               "reads go to the replica")
    writers = Writers(cluster.write)
    wait_until(lambda: writers.written() > 5, "writes work")
    primary.kill()
    cluster.proxy.wait_log("write/a is unhealthy")
    assert replica.sql("select count(*) > 0 from log", address=cluster.read) == "t", "reads go on"
    replica.promote()
    cluster.proxy.wait_log(r"write/b is healthy \(was unhealthy\): primary")
    before = writers.written()
    wait_until(lambda: writers.written() > before + 5, "writes work again")
    fared = writers.end()
    assert set(fared) <= {"written", "cut"}, f"a write reached a replica: {fared}"
    cluster.proxy.wait_log("read/b is unhealthy .*: is a primary, no replica")


def test_a_check_logs_in_once(lb, primary, password_file):
    cluster = Cluster(lb, {"a": primary}, password_file)
    cluster.proxy.wait_log("write/a is healthy .*: primary")
    sessions = ("select string_agg(pid::text, ',' order by pid) from pg_stat_activity"
                " where application_name = 'lb' and usename = 'checker'")
    cluster.proxy.wait_log("read/a is unhealthy")
    before = primary.sql(sessions)
    assert before.count(",") == 1, "one for each pool"
    asked = "select query_start from pg_stat_activity where application_name = 'lb' order by pid"
    first = primary.sql(asked)
    wait_until(lambda: primary.sql(asked) != first, "it asks again")
    assert primary.sql(sessions) == before


def test_a_wrong_password_is_told_in_the_servers_words(lb, primary, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("a guess")
    cluster = Cluster(lb, {"a": primary}, str(wrong))
    cluster.proxy.wait_log(
        'write/a is unhealthy .*: FATAL:  password authentication failed for user "checker"')


def test_a_server_with_tls_is_asked_over_tls(lb, primary, password_file):
    primary.switch_on_tls()
    cluster = Cluster(lb, {"a": primary}, password_file)
    cluster.proxy.wait_log("write/a is healthy .*: primary")
    assert primary.sql("select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid)"
                       " where application_name = 'lb'") == "t"


def test_a_server_that_restarts_between_two_checks_has_not_failed(lb, primary, password_file):
    cluster = Cluster(lb, {"a": primary}, password_file)
    cluster.proxy.wait_log("write/a is healthy")
    primary.sql("select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'lb'")
    renewed = "select count(*) from pg_stat_activity where application_name = 'lb'"
    wait_until(lambda: primary.sql(renewed) == "2", "both checks have logged in again")
    assert "write/a is unhealthy" not in cluster.proxy.log()


def test_a_replica_that_falls_behind_leaves_and_an_idle_primary_is_no_lag(
        lb, primary, replica, password_file):
    cluster = Cluster(lb, {"a": primary, "b": replica}, password_file, read={"max_lag": "2s"})
    cluster.wait_settled()
    # Longer than max_lag without any transaction.
    idle_until = time.monotonic() + 3
    wait_until(lambda: time.monotonic() > idle_until, "a while")
    assert "read/b is unhealthy" not in cluster.proxy.log()
    replica.sql("select pg_wal_replay_pause()")
    primary.sql("insert into log (writer) values (1)")
    cluster.proxy.wait_log(r"read/b is unhealthy .*: replica, \d+\.\d s behind")
    replica.sql("select pg_wal_replay_resume()")
    cluster.proxy.wait_log(r"read/b is healthy \(was unhealthy\): replica, [01]\.\d s behind")


def test_a_replica_outlives_its_primary_for_max_lag(lb, primary, replica, password_file):
    cluster = Cluster(lb, {"a": primary, "b": replica}, password_file, read={"max_lag": "3s"})
    cluster.wait_settled()
    primary.kill()
    killed_at = time.monotonic()
    cluster.proxy.wait_log(r"read/b is unhealthy .*: replica, \d+\.\d s behind")
    assert time.monotonic() - killed_at > 2


CLIENTS = 500


@pytest.mark.seconds(240)
def test_clients_wait_for_the_promotion_and_are_served_in_order(lb, primary, replica, password_file):
    """Eight seconds without a primary: 500 clients come, none is refused, each is served in turn."""
    cluster = Cluster(lb, {"a": primary, "b": replica}, password_file, write={
        "hold": "60s", "queue": {"size": 1024, "timeout": "60s"}}, limit=60, workers=1)
    cluster.wait_settled()
    primary.kill()
    killed_at = time.monotonic()
    cluster.proxy.wait_log("write/a is unhealthy")

    async def come():
        async def one(number):
            await execute(cluster.write, f"insert into log (writer) values ({number})")

        clients = []
        for number in range(1, CLIENTS + 1):
            clients.append(asyncio.create_task(one(number)))
            await asyncio.sleep(0.005)
        return await asyncio.gather(*clients, return_exceptions=True)

    work = in_background(asyncio.run, come())
    promotion = killed_at + 8
    wait_until(lambda: time.monotonic() > promotion, "a promotion that takes its time")
    assert replica.sql("select count(*) from log", address=cluster.read) == "0", "reads go on"
    first_backend = int(replica.sql("select pg_backend_pid()"))
    replica.promote()
    refused = [answer for answer in work.result(120) if answer is not None]
    assert not refused, refused[:5]
    # The kernel numbers the servers' processes in the order in which lb connected; at the end it begins anew.
    numbers = int(pathlib.Path("/proc/sys/kernel/pid_max").read_text())
    written = [tuple(map(int, row.split("|"))) for row in replica.sql("select writer, backend from log").splitlines()]
    order = [writer for writer, backend in sorted(written, key=lambda row: (row[1] - first_backend) % numbers)]
    assert sorted(order) == list(range(1, CLIENTS + 1)), "each has written once"
    furthest = max(abs(place - writer) for place, writer in enumerate(order, 1))
    assert furthest < 20, f"one was served {furthest} places from its turn"
