# SPDX-License-Identifier: MIT
"""The admin address: who may, what it tells, taking servers out and back, and that none of it is
felt by traffic."""

import json
import os
import socket
import stat
import subprocess

import pytest
from lbtest import (Admin, connect, echo, free_port, hears, names_itself, refuses, run_lb,
                    tcp_config, wait_until)

TOKEN = "correct-horse-battery"
DRAIN = {"state": "drain"}


@pytest.fixture
def tcp_admin():
    return Admin(f"127.0.0.1:{free_port()}", TOKEN)


def with_admin(admin, *servers, pool=None, **more):
    return tcp_config(*servers, pool=pool, admin={"address": admin.address, **more})


def named(**servers):
    return [{"name": name, "address": fake.address} for name, fake in servers.items()]


@pytest.mark.fast
def test_a_unix_socket_is_for_owner_and_group_and_goes_with_the_process(lb, server, admin):
    proxy = lb(with_admin(admin, server(echo)))
    path = admin.address[5:]
    mode = os.stat(path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
    assert admin.get("/api/health").status == 200
    proxy.terminate()
    assert proxy.wait_end() == 0
    assert not os.path.exists(path)


@pytest.mark.fast
def test_servers_are_listed_as_they_are(lb, server, admin):
    a = server(names_itself("a"))
    proxy = lb(with_admin(admin, {"name": "one", "address": a, "weight": 3, "backup": True}))
    with proxy.connect() as client:
        client.receive_line()
        listed = admin.get("/api/servers").data
        assert len(listed) == 1
        one = listed[0]
        assert one.pop("addedAt").endswith("Z") and "responseTime" in one
        del one["responseTime"]
        assert {**one, "serverId": "?", "totalRequests": "?"} == {
            "serverId": "?", "name": "one", "pool": "back", "host": "127.0.0.1", "port": a.port,
            "weight": 3, "backup": True, "status": "healthy", "activeConnections": 1,
            "totalRequests": "?", "load": None, "lastHealthCheck": None}
    wait_until(lambda: admin.server("one")["activeConnections"] == 0, "the connection is not counted")
    assert admin.server("one")["totalRequests"] == 1
    assert admin.get("/api/servers?pool=none").status == 404


@pytest.mark.fast
def test_a_drained_server_gets_nobody_new_and_keeps_who_is_there(lb, server, admin):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = lb(with_admin(admin, *named(a=a, b=b)))
    clients = {}
    while len(clients) < 2:
        client = proxy.connect()
        clients[client.receive_line().decode().strip()] = client
    reply = admin.set_state("a", "drain")
    assert reply.data["status"] == "draining" and reply.data["activeConnections"] == 1
    # The answer came when every worker knew.
    assert [hears(proxy) for _ in range(20)] == ["b"] * 20
    clients["a"].send(b"still here\n")
    assert clients["a"].receive_line() == b"still here\n"
    assert admin.set_state("a", "ready").data["status"] == "healthy"
    assert {hears(proxy) for _ in range(4)} == {"a", "b"}


@pytest.mark.fast
def test_maintenance_takes_all_servers_out_of_a_pool(lb, server, admin):
    a = server(names_itself("a"))
    proxy = lb(with_admin(admin, *named(a=a)))
    assert admin.set_state("a", "maintenance").data["status"] == "maintenance"
    proxy.connect().expect_reset()
    health = admin.get("/api/health")
    assert health.status == 503 and health.json["status"] == "unhealthy"
    admin.set_state("a", "ready")
    assert hears(proxy) == "a"
    assert admin.get("/api/health").status == 200


@pytest.mark.fast
def test_a_state_outlives_a_reload(lb, server, admin):
    a, b = server(names_itself("a")), server(names_itself("b"))
    config = with_admin(admin, *named(a=a, b=b))
    proxy = lb(config)
    before = admin.server("a")["serverId"]
    admin.set_state("a", "drain")
    proxy.reload({**config, "log": {"level": "debug"}})
    assert admin.server("a")["status"] == "draining"
    assert admin.server("a")["serverId"] == before
    assert [hears(proxy) for _ in range(4)] == ["b"] * 4


@pytest.mark.fast
def test_health_tells_how_a_server_went_down_and_came_back(lb, server, admin):
    a = server(echo)
    checks = {"interval": "50ms", "fast_interval": "20ms", "fall": 2, "rise": 1}
    lb(with_admin(admin, *named(a=a), pool={"health_check": checks}))
    path = f"/api/servers/{admin.server('a')['serverId']}/health"
    wait_until(lambda: admin.get(path).data["status"] == "healthy", "it is healthy")
    a.go_down()
    wait_until(lambda: admin.get(path).data["status"] == "unhealthy", "it is unhealthy")
    last = admin.get(path).data["lastCheck"]
    assert last["passed"] is False and "refused" in last["detail"] and last["duration"] >= 0
    a.come_back()
    wait_until(lambda: admin.get(path).data["status"] == "healthy", "it is healthy again")
    history = admin.get(path).data["history"]
    assert [(change["from"], change["to"]) for change in history] == [
        ("unknown", "healthy"), ("healthy", "unhealthy"), ("unhealthy", "healthy")]
    assert all(change["at"].endswith("Z") and change["reason"] for change in history)


@pytest.mark.fast
def test_without_a_token_tcp_clients_read_and_do_not_change(lb, server, tcp_admin):
    tcp_admin.token = None
    lb(with_admin(tcp_admin, *named(a=server(echo))))
    assert tcp_admin.get("/api/servers").status == 200
    reply = tcp_admin.set_state("a", "drain")
    assert reply.status == 403 and "token" in reply.error
    assert tcp_admin.server("a")["status"] == "healthy"


@pytest.mark.fast
def test_with_a_token_changes_need_it_and_a_reload_may_change_it(lb, server, tcp_admin, directory):
    token_file = directory / "token"
    token_file.write_text(TOKEN + "\n")
    config = with_admin(tcp_admin, *named(a=server(echo)), token_file=str(token_file))
    proxy = lb(config)
    for token, status in ((None, 401), ("wrong-horse-battery", 401), (TOKEN, 200)):
        tcp_admin.token = token
        reply = tcp_admin.set_state("a", "drain")
        assert reply.status == status
        assert reply.headers["WWW-Authenticate"] == ("Bearer" if status == 401 else None)
    token_file.write_text("another-horse-battery\n")
    proxy.reload(config)
    assert tcp_admin.set_state("a", "ready").status == 401
    tcp_admin.token = "another-horse-battery"
    assert tcp_admin.set_state("a", "ready").status == 200


@pytest.mark.fast
@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"},
    {"Host": "localhost.evil.example:9900"}, {"Origin": "null"},
])
def test_pages_of_other_sites_are_refused_reads_included(lb, server, tcp_admin, headers):
    lb(with_admin(tcp_admin, server(echo), token=TOKEN, hosts=["lb.example"]))
    assert tcp_admin.get("/api/servers", headers={"Host": "lb.example"}).status == 200
    for path in ("/api/servers", "/api/health"):
        reply = tcp_admin.get(path, headers=headers)
        assert reply.status == 403 and reply.error
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


@pytest.mark.fast
def test_the_admin_address_takes_effect_at_start(lb, server, admin):
    config = with_admin(admin, *named(a=server(echo)))
    proxy = lb(config)
    for changed in ({**config, "admin": {"address": f"127.0.0.1:{free_port()}"}},
                    {**config, "admin": "off"}):
        proxy.reload(changed)
        proxy.wait_log(r"admin\.address: takes effect at start")
    assert admin.get("/api/health").status == 200


@pytest.mark.fast
def test_a_taken_admin_address_is_an_error_at_start(lb, server):
    other = server(echo)
    proxy = lb(tcp_config(server(echo), admin={"address": other.address}), ready=False)
    proxy.exit_code = 1
    assert proxy.wait_end() == 1
    assert f"admin.address: cannot bind {other.address}" in proxy.log()


@pytest.mark.fast
def test_curl_speaks_with_it(lb, server, admin):
    lb(with_admin(admin, *named(a=server(echo))))
    identity = admin.server("a")["serverId"]
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", admin.address[5:], "-X", "PUT", "-d", json.dumps(DRAIN),
         f"http://localhost/api/servers/{identity}/state", "http://localhost/api/health"],
        capture_output=True, text=True, timeout=20)
    assert done.returncode == 0
    assert '"status":"draining"' in done.stdout.splitlines()[0]


# The command line.


def command(*arguments, admin=None, env=None):
    return run_lb(*arguments, env={"LB_ADMIN": admin.address if admin else "", **(env or {})})


@pytest.mark.fast
def test_commands_show_and_change_servers(lb, server, admin):
    proxy = lb(with_admin(admin, *named(a=server(names_itself("a")), b=server(names_itself("b")))))
    done = command("servers", admin=admin)
    assert done.returncode == 0
    table = [line.split() for line in done.stdout.splitlines()]
    assert table[0][:4] == ["POOL", "SERVER", "ADDRESS", "STATUS"]
    assert [row[:2] + [row[3]] for row in table[1:]] == [
        ["back", "a", "healthy"], ["back", "b", "healthy"]]
    done = command("drain", "back/a", admin=admin)
    assert (done.returncode, done.stdout) == (0, "back/a is draining; 0 open\n")
    assert [hears(proxy) for _ in range(4)] == ["b"] * 4
    shown = json.loads(command("servers", "--pool", "back", "--json", admin=admin).stdout)
    assert [one["status"] for one in shown] == ["draining", "healthy"]
    assert command("ready", "back/a", "--admin", admin.address).returncode == 0
    assert {hears(proxy) for _ in range(4)} == {"a", "b"}


@pytest.mark.fast
def test_status_is_good_for_people_and_scripts(lb, server, admin):
    lb(with_admin(admin, *named(a=server(echo), b=server(echo))))
    done = command("status", admin=admin)
    assert done.returncode == 0
    assert done.stdout.startswith("healthy, up ") and "back  2 healthy" in done.stdout
    assert json.loads(command("status", "--json", admin=admin).stdout)["servers"]["total"] == 2
    for name in "ab":
        admin.set_state(name, "drain")
    assert command("status", admin=admin).returncode == 1


@pytest.mark.fast
def test_commands_say_what_is_wrong(lb, server, admin, tcp_admin, directory):
    lb(with_admin(admin, *named(app1=server(echo))))
    lb(with_admin(tcp_admin, *named(a=server(echo)), token=TOKEN))
    good, bad = directory / "good", directory / "bad"
    good.write_text(TOKEN + "\n")
    bad.write_text("wrong-horse-battery\n")
    nobody = f"127.0.0.1:{free_port()}"
    rows = [
        (["drain", "back/ap1"], admin.address, "there is no server 'back/ap1'; did you mean 'back/app1'?"),
        (["drain", "app1"], admin.address, "write POOL/SERVER: did you mean 'back/app1'?"),
        (["servers", "--pool", "none"], admin.address, "there is no such pool"),
        (["status"], nobody, f"nothing listens at {nobody}"),
        (["status"], f"unix:{directory}/none.sock", f"nothing listens at unix:{directory}/none.sock"),
        (["status"], "nonsense", "'nonsense' is no admin address"),
        (["drain", "back/a"], tcp_admin.address, "--token-file FILE or in LB_ADMIN_TOKEN"),
        (["drain", "back/a", "--token-file", bad], tcp_admin.address, "need a valid token"),
        (["drain", "back/a", "--token-file", directory / "no"], tcp_admin.address, "No such file"),
    ]
    for arguments, address, told in rows:
        done = command(*arguments, "--admin", address)
        assert done.returncode == 1 and not done.stdout
        assert done.stderr.startswith("lb: ") and told in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert command("drain", "back/a", "--admin", tcp_admin.address, "--token-file", good).returncode == 0
    done = command("ready", "back/a", "--admin", tcp_admin.address, env={"LB_ADMIN_TOKEN": TOKEN})
    assert done.returncode == 0
    assert command("drain").returncode == 2


def test_commands_tell_what_is_no_admin_address(server):
    done = command("status", "--admin", server(names_itself("not http")).address)
    assert done.returncode == 1 and "does not answer as lb's admin address does" in done.stderr


# What it must not be disturbed by, and must not disturb.


@pytest.mark.fast
def test_clients_that_say_little_keep_nobody_out(lb, server, tcp_admin):
    proxy = lb(with_admin(tcp_admin, *named(a=server(names_itself("a")))))
    slow = [connect(tcp_admin.address) for _ in range(200)]
    for index, client in enumerate(slow):
        try:
            client.send(b"GET / HTTP/1.1\r\nHost: " if index % 2 else b"G")
        except OSError:
            pass  # somebody else took its place
    assert tcp_admin.get("/api/servers", timeout_s=8).status == 200  # those who are slow have ten seconds
    assert hears(proxy) == "a"
    assert proxy.fd_count() < 150
    for client in slow:
        client.close()


@pytest.mark.fast
@pytest.mark.parametrize("sent, status", [
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 50_000, 431),
    (b"GET /" + b"x" * 8_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    (b"PUT /api/servers/x/state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n", 413),
    (b"\x16\x03\x01\x00\x05hello\r\n\r\n", 400),
    (b"GET /api/servers HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    (b"PUT /api/health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
])
def test_hostile_bytes_are_answered_in_json(lb, server, tcp_admin, sent, status):
    lb(with_admin(tcp_admin, *named(a=server(echo))))
    family, target = socket.AF_INET, tcp_admin.address.split(":")
    with socket.socket(family) as raw:
        raw.settimeout(10)
        raw.connect((target[0], int(target[1])))
        raw.sendall(sent)
        heard = b""
        while data := raw.recv(65536):
            heard += data
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["success"] is False
    assert tcp_admin.get("/api/health").status == 200


@pytest.mark.fast
@pytest.mark.parametrize("body", [
    "[" * 60_000, '{"state": ' * 1_000, '{"state": "\xff"}', '{"state": "drain"', "", "null",
    '{"state": "drain", "state": "ready"}', '{"state": 1e999}',
])
def test_hostile_bodies_change_nothing(lb, server, admin, body):
    lb(with_admin(admin, *named(a=server(echo))))
    identity = admin.server("a")["serverId"]
    reply = admin.ask("PUT", f"/api/servers/{identity}/state", body.encode("latin-1").decode("latin-1"))
    assert reply.status == 400 and reply.error
    assert admin.server("a")["status"] == "healthy"


def test_listing_a_thousand_servers_disturbs_no_traffic(lb, server, admin):
    fake = server(names_itself("a"))
    port = fake.port
    many = [{"name": f"s{number}", "address": f"127.0.{number // 250}.{number % 250 + 1}:{port}"}
            for number in range(1, 1_000)]
    proxy = lb(with_admin(admin, *many, {"name": "a", "address": fake}, pool={
        "balance": "round_robin", "retries": {"attempts": 0}}))
    assert len(admin.get("/api/servers").data) == 1_000
    # A reader that takes nothing of a large answer holds up nobody.
    lazy = []
    for _ in range(20):
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(admin.address[5:])
        raw.sendall(b"GET /api/servers HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
        lazy.append(raw)
    assert admin.get("/api/health", timeout_s=8).status == 200
    assert admin.set_state("s1", "drain").data["status"] == "draining"
    for raw in lazy:
        raw.close()
    assert not refuses(proxy.address)
