# SPDX-License-Identifier: MIT
"""MariaDB, a primary and a replica by GTID, behind a pool for writes and one for reads."""

import pytest
from lbtest import MariadbServer, free_port, wait_until

CHECK = {"type": "mysql", "user": "checker", "interval": "200ms", "fast_interval": "100ms",
         "timeout": "5s", "rise": 1, "fall": 2}


@pytest.fixture
def primary():
    server = MariadbServer()
    yield server
    server.stop()


@pytest.fixture
def replica(primary):
    server = MariadbServer(replica_of=primary)
    yield server
    server.stop()


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "password"
    path.write_text(MariadbServer.PASSWORD + "\n")
    return str(path)


def two_pools(primary, replica, password_file, **keys):
    check = {**CHECK, "password_file": password_file, **keys}
    servers = [{"name": "a", "address": primary.address}, {"name": "b", "address": replica.address}]
    return {
        "listeners": {
            name: {"address": f"127.0.0.1:{free_port()}", "protocol": "tcp", "pool": name}
            for name in ("write", "read")
        },
        "pools": {
            "write": {"servers": servers, "on_down": "close",
                      "health_check": {**check, "role": "primary"}},
            "read": {"servers": servers, "health_check": {**check, "role": "replica"}},
        },
    }


def leads_to(server, address):
    """Whether queries there reach this server. What is logged the workers may know a moment later."""
    try:
        return server.sql("select @@server_id", address=address) == server.sql("select @@server_id")
    except AssertionError:  # refused
        return False


def test_roles_follow_read_only(lb, primary, replica, password_file):
    config = two_pools(primary, replica, password_file, max_lag="5s")
    proxy = lb(config)
    write, read = (config["listeners"][name]["address"] for name in ("write", "read"))
    for words in ("write/a is healthy .*: primary", "write/b is unhealthy .*: is a replica, no prim",
                  "read/a is unhealthy .*: is a primary, no repl",
                  r"read/b is healthy .*: replica, \d\.\d s behind"):
        proxy.wait_log(words)
    primary.sql("create table app.log (writer int)")
    wait_until(lambda: leads_to(primary, write), "writes go to the primary")
    wait_until(lambda: leads_to(replica, read), "reads go to the replica")
    # The roles change places without anybody's death.
    primary.sql("set global read_only = 1")
    proxy.wait_log("write/a is unhealthy .*: is a replica, no primary")
    replica.promote()
    proxy.wait_log(r"write/b is healthy \(was unhealthy\): primary")
    proxy.wait_log("read/b is unhealthy .*: is a primary, no replica")
    wait_until(lambda: leads_to(replica, write), "writes go to the new primary")
    # Now it dies, and the old one serves again.
    replica.kill()
    proxy.wait_log("write/b is unhealthy")
    primary.sql("set global read_only = 0")
    proxy.wait_log(r"write/a is healthy \(was unhealthy\): primary")
    wait_until(lambda: leads_to(primary, write), "writes go to the first again")


def test_logins_sessions_and_replication_that_stops(lb, primary, replica, password_file, tmp_path):
    proxy = lb(two_pools(primary, replica, password_file, max_lag="2s"))
    proxy.wait_log("read/b is healthy")
    sessions = ("select group_concat(id order by id) from information_schema.processlist"
                " where user = 'checker'")
    wait_until(lambda: replica.sql(sessions).count(",") == 1, "one session for each pool")
    before = replica.sql(sessions)
    replica.sql("stop slave")
    proxy.wait_log(r"read/b is unhealthy .*: replica, \d+\.\d s behind")
    assert replica.sql(sessions) == before, "one session for all checks"
    replica.sql("start slave")
    proxy.wait_log(r"read/b is healthy \(was unhealthy\): replica, [01]\.\d s behind")
    replica.sql("; ".join(f"kill {session}" for session in before.split(",")))
    wait_until(lambda: replica.sql(sessions) not in ("NULL", before), "they are renewed")
    wrong = tmp_path / "wrong"
    wrong.write_text("a guess")
    proxy.reload(two_pools(primary, replica, str(wrong)))
    proxy.wait_log("write/a is unhealthy .*: Access denied for user 'checker'")
    assert proxy.log().count("read/b is unhealthy") <= 2, "killed sessions are no failure"
