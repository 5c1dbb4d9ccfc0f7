# SPDX-License-Identifier: MIT
"""lb without a file: the environment alone configures one HTTP listener."""

import pytest
from lbtest import Admin, connect, free_port, names_itself, run_lb
from lbtest.http import asks, names_itself_in_http


def environment(*servers, **more):
    return {"BACKEND_SERVERS": ",".join(f"http://{each.address}" for each in servers),
            "HOST": "127.0.0.1", "PORT": str(free_port()), **more}


@pytest.mark.fast
def test_variables_make_a_balancer(lb, server):
    servers = [server(names_itself_in_http(name)) for name in "ab"]
    admin = Admin(f"127.0.0.1:{free_port()}", "correct-horse-battery")
    env = environment(*servers, ADMIN=admin.address, LB_ADMIN_TOKEN=admin.token, ALGORITHM="weighted")
    lb("", arguments=(), env=env)
    with connect(f"127.0.0.1:{env['PORT']}") as client:
        assert {asks(client).body for _ in range(4)} == {b"a", b"b"}
    assert admin.get("/api/health").json["status"] == "healthy"
    assert admin.put("/api/algorithm", {"pool": "http", "algorithm": "random"}).status == 200
    assert admin.ask("POST", "/api/reload").status == 200


@pytest.mark.fast
@pytest.mark.parametrize("protocol, behaviour", [("tcp", names_itself), ("http", names_itself_in_http)])
def test_a_line_makes_a_balancer(lb, server, protocol, behaviour):
    servers = [server(behaviour(name)) for name in "ab"]
    address, admin = f"127.0.0.1:{free_port()}", Admin(f"127.0.0.1:{free_port()}", "correct-horse-battery")
    lb("", arguments=(protocol, "--listen", address, "--to", ",".join(each.address for each in servers),
                      "--balance", "least_connections", "--admin", admin.address),
       env={"LB_ADMIN_TOKEN": admin.token})
    heard = set()
    for _ in range(4):
        with connect(address) as client:
            heard.add(asks(client).body if protocol == "http" else client.receive_line()[:1])
    assert heard == {b"a", b"b"}
    assert admin.get("/api/pools").data[0]["algorithm"] == "least_connections"
    assert admin.put("/api/algorithm", {"pool": protocol, "algorithm": "random"}).status == 200


@pytest.mark.fast
@pytest.mark.parametrize("env, name", [
    ({}, "BACKEND_SERVERS"), ({"BACKEND_SERVERS": ""}, "BACKEND_SERVERS"), ({"BACKEND_SERVERS": " , "}, "BACKEND_SERVERS"),
    ({"BACKEND_SERVERS": "a"}, "BACKEND_SERVERS"), ({"BACKEND_SERVERS": "http://a:1/path"}, "BACKEND_SERVERS"),
    ({"BACKEND_SERVERS": "ftp://a:1"}, "BACKEND_SERVERS"), ({"BACKEND_SERVERS": "http://a:1,https://b:2"}, "BACKEND_SERVERS"),
    ({"BACKEND_SERVERS": "a:1,a:1"}, "BACKEND_SERVERS"), ({"BACKEND_SERVERS": "a:1", "PORT": "0"}, "PORT"),
    ({"BACKEND_SERVERS": "a:1", "PORT": "http"}, "PORT"), ({"BACKEND_SERVERS": "a:1", "PORT": "65536"}, "PORT"),
    ({"BACKEND_SERVERS": "a:1", "HOST": "not a host"}, "HOST"), ({"BACKEND_SERVERS": "a:1", "ALGORITHM": "best"}, "ALGORITHM"),
    ({"BACKEND_SERVERS": "a:1", "ADMIN": "on"}, "ADMIN"), ({"BACKEND_SERVERS": "a:1", "LB_ADMIN_TOKEN": "short"}, "LB_ADMIN_TOKEN"),
])
def test_a_bad_variable_is_named(env, name):
    clean = {each: "" for each in ("BACKEND_SERVERS", "PORT", "HOST", "ALGORITHM", "ADMIN", "LB_ADMIN_TOKEN")}
    done = run_lb(env={**clean, **env})
    assert done.returncode == 2 and not done.stdout
    assert name in done.stderr
