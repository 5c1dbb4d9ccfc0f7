# SPDX-License-Identifier: MIT
"""Redis, a primary and a replica, behind a pool for writes and one for reads."""

import subprocess

import pytest
from lbtest import RedisServer, free_port, wait_until

CHECK = {"type": "redis", "interval": "200ms", "fast_interval": "100ms", "rise": 1, "fall": 2}


@pytest.fixture
def primary():
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def replica(primary):
    server = RedisServer(replica_of=primary)
    yield server
    server.stop()


def two_pools(primary, replica, **keys):
    servers = [{"name": "a", "address": primary.address}, {"name": "b", "address": replica.address}]
    return {
        "listeners": {
            name: {"address": f"127.0.0.1:{free_port()}", "protocol": "tcp", "pool": name}
            for name in ("write", "read")
        },
        "pools": {
            name: {"servers": servers, "on_down": "close",
                   "health_check": {**CHECK, **keys, "role": role}}
            for name, role in (("write", "primary"), ("read", "replica"))
        },
    }


def answers(server, expected, *words, address):
    """Whether redis-cli is answered so; a client that is refused is not."""
    try:
        return server.command(*words, address=address) == expected
    except subprocess.CalledProcessError:
        return False


def test_roles_follow_a_failover(lb, primary, replica):
    config = two_pools(primary, replica)
    proxy = lb(config)
    write, read = (config["listeners"][name]["address"] for name in ("write", "read"))
    for words in ("write/a is healthy .*: primary", "write/b is unhealthy .*: is a replica, no prim",
                  "read/a is unhealthy .*: is a primary, no repl", "read/b is healthy .*: replica"):
        proxy.wait_log(words)
    wait_until(lambda: answers(primary, "OK", "SET", "key", "one", address=write), "writes work")
    wait_until(lambda: answers(replica, "one", "GET", "key", address=read), "reads see them")
    primary.kill()
    proxy.wait_log("write/a is unhealthy")
    assert replica.command("GET", "key", address=read) == "one", "reads go on"
    replica.promote()
    proxy.wait_log(r"write/b is healthy \(was unhealthy\): primary")
    proxy.wait_log("read/b is unhealthy .*: is a primary, no replica")
    wait_until(lambda: answers(replica, "OK", "SET", "key", "two", address=write), "writes work")
    assert replica.command("GET", "key") == "two"


def test_a_check_logs_in(lb, primary, replica, tmp_path):
    password = tmp_path / "password"
    password.write_text("let me check\n")
    primary.command("ACL", "SETUSER", "checker", "on", ">let me check", "+ping", "+role", "+select")
    config = two_pools(primary, replica, user="checker", password_file=str(password), database="0")
    proxy = lb(config)
    proxy.wait_log("write/a is healthy .*: primary")
    proxy.wait_log("write/b is unhealthy .*: WRONGPASS")
    password.write_text("a guess")
    proxy.reload(config)
    proxy.wait_log("write/a is unhealthy .*: WRONGPASS")
