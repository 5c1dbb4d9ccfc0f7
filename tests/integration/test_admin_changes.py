# SPDX-License-Identifier: MIT
"""Changes at run time: servers come and go, weights and algorithms change, and all of it holds over
reloads until the file itself says otherwise."""

import copy
import json

import pytest
from lbtest import echo, free_port, hears_times, names_itself, run_lb, tcp_config, wait_until


def with_admin(admin, pool=None, **servers):
    """servers: by name."""
    listed = [{"name": name, "address": fake.address} for name, fake in servers.items()]
    return tcp_config(*listed, pool=pool, admin={"address": admin.address})


def changed(config, **pool):
    copied = copy.deepcopy(config)
    copied["pools"]["back"].update(pool)
    return copied


def add(admin, fake, **fields):
    host, _, port = fake.address.rpartition(":")
    return admin.ask("POST", "/api/servers", {"host": host, "port": int(port), **fields})


def remove(admin, name):
    return admin.ask("DELETE", f"/api/servers/{admin.server(name)['serverId']}")


def set_weight(admin, name, weight):
    return admin.put(f"/api/servers/{admin.server(name)['serverId']}/weight", {"weight": weight})


@pytest.mark.fast
def test_a_weight_holds_over_reloads_until_the_file_changes_it(lb, server, admin):
    config = with_admin(admin, a=server(names_itself("a")), b=server(names_itself("b")))
    proxy = lb(config)
    assert set_weight(admin, "a", 3).data["weight"] == 3
    assert hears_times(proxy, 8).count("a") == 6
    proxy.reload({**config, "log": {"level": "debug"}})
    assert admin.server("a")["weight"] == 3
    heavier = copy.deepcopy(config)
    heavier["pools"]["back"]["servers"][0]["weight"] = 7
    proxy.reload(heavier)
    assert admin.server("a")["weight"] == 7
    proxy.wait_log(r"the weight of server back/a, set at run time, no longer holds")


@pytest.mark.fast
def test_an_added_server_serves_once_it_was_checked_and_stays_over_reloads(lb, server, admin):
    a, b = server(names_itself("a")), server(names_itself("b"))
    config = with_admin(admin, pool={"health_check": {"interval": "10s"}}, a=a)
    proxy = lb(config)
    reply = add(admin, b, name="b", pool="back", weight=1)
    assert reply.status == 201
    assert reply.data["status"] == "healthy" and reply.data["lastHealthCheck"]
    assert set(hears_times(proxy, 4)) == {"a", "b"}
    reply = add(admin, b, name="b")
    assert reply.status == 409 and reply.json["path"] == "name"
    proxy.reload({**config, "log": {"level": "debug"}})
    assert set(hears_times(proxy, 4)) == {"a", "b"}
    assert admin.server("b")["serverId"]


@pytest.mark.fast
def test_an_added_server_that_fails_its_check_is_there_all_the_same(lb, server, admin):
    proxy = lb(with_admin(admin, pool={"health_check": {"interval": "10s"}}, a=server(names_itself("a"))))
    reply = admin.ask("POST", "/api/servers", {"host": "127.0.0.1", "port": free_port()})
    assert reply.status == 201 and reply.data["status"] == "unhealthy"
    assert hears_times(proxy, 4) == ["a"] * 4


@pytest.mark.fast
def test_one_that_is_checked_already_is_there_at_once(lb, server, admin):
    a = server(names_itself("a"))
    lb(with_admin(admin, pool={"health_check": {"interval": "1h"}}, a=a))
    wait_until(lambda: admin.server("a")["lastHealthCheck"], "it was checked")
    reply = add(admin, a, name="twin")
    assert reply.status == 201 and reply.data["status"] == "healthy"
    assert reply.data["lastHealthCheck"] == admin.server("a")["lastHealthCheck"]


@pytest.mark.fast
def test_one_whose_name_never_resolves_is_listed_and_can_be_removed(lb, server, admin):
    lb(with_admin(admin, pool={"health_check": {"timeout": "50ms"}}, a=server(names_itself("a"))))
    reply = admin.ask("POST", "/api/servers", {"host": "typo.invalid", "port": 81, "name": "b"})
    assert reply.status == 201 and reply.data["status"] == "unknown"
    assert admin.server("b") == reply.data and reply.data["host"] == "typo.invalid"
    path = f"/api/servers/{reply.data['serverId']}"
    assert admin.get(f"{path}/health").data == {"status": "unknown", "lastCheck": None, "history": []}
    assert admin.put(f"{path}/weight", {"weight": 3}).data["weight"] == 3
    assert admin.put(f"{path}/state", {"state": "drain"}).status == 409
    assert admin.get("/api/health").json["servers"]["total"] == 2
    assert run_lb("remove", "back/b", "--admin", admin.address).returncode == 0
    assert [each["name"] for each in admin.get("/api/servers").data] == ["a"]
    assert admin.get("/api/health").json["servers"]["total"] == 1


@pytest.mark.fast
def test_an_added_server_may_have_a_check_of_its_own(lb, server, admin):
    def http(connection):
        connection.receive_line()
        connection.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").finish()

    lb(with_admin(admin, pool={"health_check": {"interval": "10s"}}, a=server(echo)))
    reply = add(admin, server(http), healthCheckPath="/up", healthCheckInterval="50ms")
    assert reply.status == 201 and reply.data["status"] == "unhealthy"
    path = f"/api/servers/{reply.data['serverId']}/health"
    assert "503" in admin.get(path).data["lastCheck"]["detail"]


@pytest.mark.fast
def test_what_cannot_be_added_is_refused_with_its_path(lb, server, admin):
    lb(with_admin(admin, a=server(echo)))
    for body, status, path in (
        ({"pool": "none", "host": "127.0.0.1", "port": 1}, 404, "pool"),
        ({"host": "no such host", "port": 1}, 400, "host"),
        ({"host": "0.0.0.0", "port": 1}, 400, "host"),
        ({"host": "127.0.0.1", "port": 1, "name": "a b"}, 400, "name"),
        ({"host": "127.0.0.1", "port": "1"}, 400, "port"),
        ({"host": "127.0.0.1", "port": 1, "user": "root"}, 400, "user"),
    ):
        reply = admin.ask("POST", "/api/servers", body)
        assert (reply.status, reply.json.get("path")) == (status, path), reply.text
    assert len(admin.get("/api/servers").data) == 1


@pytest.mark.fast
def test_a_removed_server_drains_and_stays_away_until_the_file_changes_it(lb, server, admin):
    a, b = server(names_itself("a")), server(names_itself("b"))
    config = with_admin(admin, a=a, b=b)
    proxy = lb(config)
    clients = {}
    while len(clients) < 2:
        client = proxy.connect()
        clients[client.receive_line().decode().strip()] = client
    assert remove(admin, "a").data["status"] == "draining"
    assert hears_times(proxy, 6) == ["b"] * 6
    assert admin.server("a")["status"] == "draining"
    clients["a"].send(b"still here\n")
    assert clients["a"].receive_line() == b"still here\n"
    proxy.reload({**config, "log": {"level": "debug"}})
    assert hears_times(proxy, 6) == ["b"] * 6
    clients["a"].close()
    wait_until(lambda: len(admin.get("/api/servers").data) == 1, "it is gone")
    weighted = copy.deepcopy(config)
    weighted["pools"]["back"]["servers"][0]["weight"] = 2
    proxy.reload(weighted)
    assert set(hears_times(proxy, 6)) == {"a", "b"}


@pytest.mark.fast
def test_an_algorithm_is_set_by_name_or_alias(lb, server, admin):
    config = with_admin(admin, a=server(names_itself("a")), b=server(names_itself("b")))
    proxy = lb(config)
    names = {algorithm["name"]: algorithm["aliases"] for algorithm in admin.get("/api/algorithms").data}
    assert "ip_hash" in names["source_ip_hash"] and names["least_connections"] == []
    reply = admin.put("/api/algorithm", {"pool": "back", "algorithm": "ip_hash"})
    assert reply.data == {"pool": "back", "algorithm": "source_ip_hash"}
    assert len(set(hears_times(proxy, 6))) == 1
    proxy.reload(changed(config, balance="random"))
    assert admin.get("/api/pools").data[0]["algorithm"] == "random"
    assert admin.put("/api/algorithm", {"pool": "none", "algorithm": "hash"}).status == 404
    assert admin.put("/api/algorithm", {"pool": "back", "algorithm": "best"}).status == 400


@pytest.mark.fast
def test_pools_and_listeners_are_listed(lb, server, admin):
    proxy = lb(with_admin(admin, a=server(names_itself("a")), b=server(names_itself("b"))))
    assert admin.get("/api/pools").data == [
        {"name": "back", "algorithm": "round_robin", "listeners": ["front"],
         "servers": {"total": 2, "usable": 2}}]
    with proxy.connect() as client:
        client.receive_line()
        assert admin.get("/api/listeners").data == [
            {"name": "front", "protocol": "tcp", "addresses": [proxy.address], "pool": "back",
             "pools": ["back"], "activeConnections": 1}]


@pytest.mark.fast
def test_a_reload_tells_what_is_wrong(lb, server, admin):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = lb(with_admin(admin, a=a))
    proxy.write_config(with_admin(admin, b=b))
    assert admin.ask("POST", "/api/reload").status == 200
    assert hears_times(proxy, 2) == ["b", "b"]
    proxy.write_config("listeners: {}\npools: {}\nwhatever: 1\n")
    reply = admin.ask("POST", "/api/reload")
    assert reply.status == 400
    assert [(error["line"], error["column"], error["path"]) for error in reply.json["errors"]] == [
        (1, 1, "listeners"), (2, 1, "pools"), (3, 1, "whatever")]
    done = run_lb("reload", "--admin", admin.address)
    assert done.returncode == 1 and "\nlb.yaml:3:1: whatever: unknown key" in done.stderr
    reply = admin.ask("POST", "/api/reload", {"file": "other.yaml"})
    assert reply.status == 400 and reply.json["path"] == "file"
    assert hears_times(proxy, 2) == ["b", "b"]


@pytest.mark.fast
def test_commands_add_and_remove(lb, server, admin):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = lb(with_admin(admin, pool={"health_check": {"interval": "10s"}}, a=a))
    env = {"LB_ADMIN": admin.address}
    done = run_lb("add", "back/b", b.address, "--weight", "3", env=env)
    assert (done.returncode, done.stdout) == (0, "back/b is healthy\n")
    assert hears_times(proxy, 4).count("b") == 3
    done = run_lb("add", "back/b", b.address, env=env)
    assert done.returncode == 1 and "the pool has a server of that name" in done.stderr
    assert json.loads(run_lb("remove", "back/a", "--json", env=env).stdout)["name"] == "a"
    assert hears_times(proxy, 3) == ["b"] * 3
    assert run_lb("add", "back", "nonsense", env=env).returncode == 1
    assert run_lb("reload", env=env).stdout == "reloaded\n"
    assert hears_times(proxy, 3) == ["b"] * 3
