# SPDX-License-Identifier: MIT
"""What was changed at run time survives the process where there is a state file: SIGTERM, SIGKILL at
any moment, and a file that was edited meanwhile."""

import itertools
import json
import random
import stat
import threading
from http.client import HTTPException

import pytest
from lbtest import free_port, names_itself, tcp_config


@pytest.fixture
def config(directory, admin, server):
    servers = [{"name": name, "address": server(names_itself(name))} for name in "ab"]
    return tcp_config(*servers, runtime={"workers": 2}, admin={
        "address": admin.address, "state_file": str(directory / "state.json")})


def set_weight(admin, name, weight):
    return admin.put(f"/api/servers/{admin.server(name)['serverId']}/weight", {"weight": weight})


def state_of(admin):
    return ({each["name"]: (each["weight"], each["status"]) for each in admin.get("/api/servers").data},
            admin.get("/api/pools").data[0]["algorithm"])


@pytest.mark.fast
def test_everything_that_was_changed_is_there_after_a_restart(lb, admin, config, directory):
    first = lb(config)
    set_weight(admin, "a", 7)
    admin.set_state("b", "drain")
    admin.put("/api/algorithm", {"pool": "back", "algorithm": "random"})
    admin.ask("POST", "/api/servers", {"host": "127.0.0.1", "port": free_port(), "name": "c",
                                       "weight": 4})
    before = state_of(admin)
    assert before[0]["b"] == (1, "draining") and before[0]["c"] == (4, "healthy")
    assert stat.S_IMODE((directory / "state.json").stat().st_mode) == 0o600
    first.kill()
    lb(config)
    assert state_of(admin) == before


@pytest.mark.fast
def test_a_configuration_that_was_sent_is_there_until_the_file_is_edited(lb, admin, config, directory):
    first = lb(config)
    sent = json.loads(json.dumps(first_of(config)))
    sent["pools"]["back"]["balance"] = "least_connections"
    sent["pools"]["back"]["servers"][0]["weight"] = 9
    assert admin.put("/api/config", sent).status == 200
    set_weight(admin, "b", 3)
    before = state_of(admin)
    first.kill()
    second = lb(config)
    assert state_of(admin) == before and before[0]["a"][0] == 9
    assert admin.get("/api/config").data["pools"]["back"]["balance"] == "least_connections"
    second.kill()
    edited = {**config, "log": {"level": "debug"}}
    third = lb(edited)
    third.wait_log("was changed since a configuration was put in its place")
    assert state_of(admin)[1] == "round_robin" and state_of(admin)[0]["b"][0] == 3


def first_of(config):
    """The configuration as plain data, as lb wrote it into its file."""
    servers = [{**each, "address": each["address"]} for each in config["pools"]["back"]["servers"]]
    return {**config, "pools": {"back": {**config["pools"]["back"], "servers": servers}}}


@pytest.mark.fast
def test_the_file_wins_where_it_has_another_value_by_now(lb, admin, config):
    first = lb(config)
    set_weight(admin, "a", 7)
    set_weight(admin, "b", 8)
    first.kill()
    servers = config["pools"]["back"]["servers"]
    servers[0] = {**servers[0], "weight": 2}
    second = lb(config)
    second.wait_log("the weight of server back/a, set at run time, no longer holds")
    assert state_of(admin)[0] == {"a": (2, "healthy"), "b": (8, "healthy")}


@pytest.mark.fast
def test_a_state_file_that_is_none_keeps_nobody_from_starting(lb, admin, config, directory):
    (directory / "state.json").write_text("{\"version\": 1, \"over")
    process = lb(config)
    process.wait_log("it is not used and kept as .*state.json.bad")
    assert (directory / "state.json.bad").exists()
    assert set_weight(admin, "a", 7).status == 200
    process.kill()
    lb(config)
    assert state_of(admin)[0]["a"] == (7, "healthy")


@pytest.mark.fast
def test_a_state_file_that_cannot_be_written_is_told_at_start(lb, admin, config, directory):
    config["admin"]["state_file"] = str(directory / "no" / "state.json")
    process = lb(config, ready=False)
    process.exit_code = 1
    assert process.wait_end() == 1
    assert "admin.state_file: cannot write" in process.log()


AT_FIRST = {"servers": {"a": (1, "ready"), "b": (1, "ready")}, "algorithm": "round_robin"}


def change_of(kind, numbers, now, sent):
    """A call, and what everything is once it is acknowledged."""
    servers = dict(now["servers"])
    name = numbers.choice("ab")
    weight, state = servers[name]
    match kind:
        case "weight":
            weight = numbers.randrange(100)
            servers[name] = (weight, state)
            return ("PUT", f"/api/servers/{name}/weight", {"weight": weight}), {**now, "servers": servers}
        case "state":
            state = numbers.choice(["ready", "drain", "maintenance"])
            servers[name] = (weight, state)
            return ("PUT", f"/api/servers/{name}/state", {"state": state}), {**now, "servers": servers}
        case "algorithm":
            word = numbers.choice(["round_robin", "random", "least_connections"])
            return ("PUT", "/api/algorithm", {"pool": "back", "algorithm": word}), {**now, "algorithm": word}
        case "member" if "c" in servers:
            del servers["c"]
            return ("DELETE", "/api/servers/c", None), {**now, "servers": servers}
        case "member":
            servers["c"] = (numbers.randrange(100), "ready")
            new = {"host": "127.0.0.1", "port": 1, "name": "c", "weight": servers["c"][0]}
            return ("POST", "/api/servers", new), {**now, "servers": servers}
        case "configuration":
            weight = numbers.randrange(100)
            sent["pools"]["back"]["servers"][0]["weight"] = weight
            after = {**AT_FIRST, "servers": {**AT_FIRST["servers"], "a": (weight, "ready")}}
            return ("PUT", "/api/config", sent), after


def everything(admin):
    wanted = {"draining": "drain", "maintenance": "maintenance"}
    servers, algorithm = state_of(admin)
    return {"servers": {name: (weight, wanted.get(status, "ready")) for name, (weight, status) in servers.items()},
            "algorithm": algorithm}


def test_after_a_kill_at_any_moment_the_last_acknowledged_change_holds(lb, admin, config):
    config["pools"]["back"]["health_check"] = "off"
    numbers = random.Random(7)
    sent = json.loads(json.dumps(first_of(config)))
    kinds = ["weight", "state", "algorithm", "member", "configuration"]
    process = lb(config)
    ids = {name: admin.server(name)["serverId"] for name in "ab"}
    new = admin.ask("POST", "/api/servers", {"host": "127.0.0.1", "port": 1, "name": "c"}).data
    ids["c"] = new["serverId"]
    now = {**AT_FIRST, "servers": {**AT_FIRST["servers"], "c": (1, "ready")}}
    acknowledged = set()
    for number in range(15):
        killer = threading.Timer(numbers.uniform(0, 0.4), process.kill)
        rounds = itertools.chain([kinds[number % len(kinds)]], iter(lambda: numbers.choice(kinds), None))
        try:
            for count, kind in enumerate(rounds):
                if count == 1:  # so that each kind was acknowledged, however slow the machine
                    killer.start()
                (method, path, body), after = change_of(kind, numbers, now, sent)
                for name, identity in ids.items():
                    path = path.replace(f"/servers/{name}", f"/servers/{identity}")
                reply = admin.ask(method, path, body)
                assert reply.status in (200, 201), reply.text
                now = after
                acknowledged.add(kind)
        except (OSError, ValueError, HTTPException):
            pass  # it is dead
        killer.join()
        process.wait_end()
        process = lb(config)
        found = everything(admin)
        assert found in (now, after)
        now = found
    assert acknowledged == set(kinds)
