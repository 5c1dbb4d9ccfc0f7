# SPDX-License-Identifier: MIT
"""The configuration as a whole over the admin API: shown, replaced, and what only the file may set."""

import copy
import json

import pytest
from lbtest import echo, free_port, hears_times, names_itself, tcp_config

TOKEN = "correct-horse-battery"


def with_admin(admin, **servers):
    listed = [{"name": name, "address": fake.address} for name, fake in servers.items()]
    return tcp_config(*listed, admin={"address": admin.address})


@pytest.mark.fast
def test_the_running_configuration_is_shown_with_what_lies_over_it(lb, server, admin):
    config = with_admin(admin, a=server(echo), b=server(echo))
    config["admin"]["token"] = "${LB_TEST_TOKEN}"
    lb(config, env={"LB_TEST_TOKEN": TOKEN})
    reply = admin.get("/api/config")
    assert reply.data == {**config, "admin": {**config["admin"], "token": "***"}}
    etag = reply.headers["ETag"]
    assert etag.startswith('"') and admin.get("/api/config").headers["ETag"] == etag
    one = admin.server("a")["serverId"]
    admin.put(f"/api/servers/{one}/weight", {"weight": 5})
    admin.ask("DELETE", f"/api/servers/{admin.server('b')['serverId']}")
    admin.ask("POST", "/api/servers", {"host": "127.0.0.1", "port": free_port(), "name": "c"})
    admin.put("/api/algorithm", {"pool": "back", "algorithm": "random"})
    pool = admin.get("/api/config").data["pools"]["back"]
    assert [(each["name"], each["weight"]) for each in pool["servers"]] == [("a", 5), ("c", 1)]
    assert pool["balance"] == "random"
    assert admin.get("/api/config").headers["ETag"] != etag


@pytest.mark.fast
def test_a_whole_configuration_takes_the_files_place_until_it_is_read_again(lb, server, admin):
    a, b = server(names_itself("a")), server(names_itself("b"))
    config = with_admin(admin, a=a)
    proxy = lb(config)
    admin.set_state("a", "drain")
    text = proxy.config_file.read_text()
    other = with_admin(admin, a=a, b=b)
    other["listeners"] = config["listeners"]
    reply = admin.put("/api/config", other)
    assert reply.data["pools"] == other["pools"]
    assert set(hears_times(proxy, 4)) == {"a", "b"}  # the drain is gone with the overlay
    assert reply.headers["ETag"] == admin.get("/api/config").headers["ETag"]
    assert proxy.config_file.read_text() == text
    proxy.reload(config)
    assert hears_times(proxy, 2) == ["a", "a"]
    assert admin.get("/api/config").data == config


@pytest.mark.fast
def test_yaml_is_taken_too_and_only_by_who_knows_what_it_replaces(lb, server, admin):
    a, b = server(names_itself("a")), server(names_itself("b"))
    config = with_admin(admin, a=a)
    proxy = lb(config)
    stale = admin.get("/api/config").headers["ETag"]
    yaml = (f"admin: {{address: '{admin.address}'}}\n"
            f"listeners: {{front: {{address: '{proxy.address}', pool: back}}}}\n"
            f"pools:\n  back:\n    health_check: off\n    servers: [{b.address}]\n")
    assert admin.put("/api/config", yaml, headers={"If-Match": stale}).status == 200
    assert hears_times(proxy, 2) == ["b", "b"]
    reply = admin.put("/api/config", yaml, headers={"If-Match": stale})
    assert reply.status == 412 and "meanwhile" in reply.error
    fresh = admin.get("/api/config").headers["ETag"]
    assert admin.put("/api/config", yaml, headers={"If-Match": f'"x", {fresh}'}).status == 200
    assert admin.put("/api/config", yaml, headers={"If-Match": "*"}).status == 200


@pytest.mark.fast
def test_what_is_wrong_is_told_with_its_place_and_changes_nothing(lb, server, admin):
    config = with_admin(admin, a=server(names_itself("a")))
    proxy = lb(config)
    before = admin.get("/api/config").headers["ETag"]
    broken = json.dumps({**config, "pools": {"back": {"servrs": ["a:1"]}}}, indent=2)
    reply = admin.put("/api/config", broken)
    assert reply.status == 400
    line = 1 + broken.splitlines().index('      "servrs": [')
    assert {"line": line, "column": 7, "path": "pools.back.servrs"} in [
        {key: error[key] for key in ("line", "column", "path")} for error in reply.json["errors"]]
    for text in ("", "[", "{\"pools\": 1", "no: [yaml", "a: b"):
        reply = admin.put("/api/config", text)
        assert reply.status == 400 and reply.json["errors"], text
    taken = copy.deepcopy(config)
    taken["listeners"]["second"] = {"address": f"127.0.0.1:{free_port()}", "pool": "back"}
    taken["listeners"]["front"]["address"] = "127.0.0.1:1"
    taken["runtime"] = {"workers": 7}
    assert admin.put("/api/config", taken).status == 400
    assert admin.get("/api/config").headers["ETag"] == before
    assert hears_times(proxy) == ["a"]


@pytest.mark.fast
def test_commands_files_users_and_the_admin_address_are_the_files(lb, server, admin):
    config = with_admin(admin, a=server(names_itself("a")))
    proxy = lb(config)
    for path, change in (
        ("admin.address", {"admin": {"address": "unix:/tmp/other.sock"}}),
        ("admin.token", {"admin": {**config["admin"], "token": TOKEN}}),
        ("admin.state_file", {"admin": {**config["admin"], "state_file": "/tmp/state.json"}}),
        ("log.output", {"log": {"output": "/tmp/log"}}),
        ("runtime.user", {"runtime": {"user": "nobody"}}),
        ("pools.back.health_check.command", {"pools": {"back": {
            **config["pools"]["back"], "health_check": {"type": "script", "command": ["/bin/true"]}}}}),
        ("listeners.front.allow[0].file", {"listeners": {"front": {
            **config["listeners"]["front"], "allow": [{"file": "/etc/hosts"}]}}}),
    ):
        reply = admin.put("/api/config", {**config, **change})
        assert (reply.status, reply.json["path"]) == (403, path), reply.text
    without = {key: value for key, value in config.items() if key != "admin"}
    assert admin.put("/api/config", without).status == 403
    assert admin.put("/api/config", {**config, "admin": "***"}).status == 200
    assert hears_times(proxy) == ["a"]
