# SPDX-License-Identifier: MIT
"""Health checks of every type but scripts and databases, of real servers and of bad ones."""

import re
import socket
import tempfile
import time

import pytest
from lbtest import Admin, names_itself, silent, tcp_config, wait_until
from lbtest.checked import GrpcServer, NginxServer, NsdServer, make_certificate
from lbtest.http import asks, http_config, response, serves

RUNTIME = {"workers": 2, "drain_timeout": "1s"}
QUICK = {"interval": "100ms", "fast_interval": "50ms", "timeout": "5s", "rise": 2, "fall": 2}


def checked(*servers, **check):
    named = [{"name": name, "address": server} for name, server in zip("abcdefgh", servers)]
    return tcp_config(*named, pool={"health_check": {**QUICK, **check}}, runtime=RUNTIME)


def wait_state(proxy, name, state, times=1):
    wait_until(lambda: len(re.findall(rf"\b{name} is {state}\b", proxy.log())) >= times, f"{name} is {state}")


def reason(proxy, name, state):
    wait_state(proxy, name, state)
    return re.search(rf"\b{name} is {state} \(was \w+\): (.*)", proxy.log())[1]


@pytest.fixture
def real():
    """real(KIND, ...): a real server."""
    made = []

    def start(kind, *arguments):
        made.append(kind(*arguments))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def http(status="200 OK", body="ok", headers=""):
    """A server that answers each request so."""

    def behaviour(connection):
        while not (got := connection.socket.recv(65536)).endswith(b"\r\n\r\n"):
            if not got:
                return
        connection.send(f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        connection.finish()

    return behaviour


def says(*pieces, pause_s=0.0):
    """A server that says this, piece by piece, whatever it hears, and ends."""

    def behaviour(connection):
        for piece in pieces:
            connection.send(piece)
            time.sleep(pause_s)
        connection.finish()

    return behaviour


class Changing:
    """A behaviour that can be changed while its server runs."""

    def __init__(self, behaviour):
        self.now = behaviour

    def __call__(self, connection):
        self.now(connection)


def test_http_checks_follow_what_nginx_says(lb, real):
    nginx = real(NginxServer)
    proxy = lb(checked(nginx, type="http", expect_status="200-299", expect_body="well"))
    assert reason(proxy, "a", "healthy") == "status 200"
    nginx.be_ill()
    assert reason(proxy, "a", "unhealthy") == "status 503"
    nginx.be_ill(False)
    wait_state(proxy, "a", "healthy", times=2)
    nginx.kill()
    wait_state(proxy, "a", "unhealthy", times=2)
    assert "Connection refused" in proxy.log()


def test_https_checks_want_a_certificate_that_names_the_server(lb, real, tmp_path):
    certificate = make_certificate(tmp_path, "app.example", days=9)
    nginx = real(NginxServer, certificate)
    trusting = {"type": "https", "ca": certificate[0]}
    config = checked(nginx, host="app.example", **trusting)
    pools = config["pools"]
    other = {"name": "a", "address": nginx.address}
    for name, check in {
        "tls": {"type": "tls", "ca": certificate[0], "host": "app.example"},
        "unnamed": trusting,
        "stranger": {"type": "https", "host": "app.example"},
        "lax": {"type": "https", "verify": False},
    }.items():
        pools[name] = {"servers": [{**other, "name": name}], "health_check": {**QUICK, **check}}
    proxy = lb(config)
    assert re.fullmatch(r"status 200, certificate until \d{4}-\d\d-\d\d", reason(proxy, "a", "healthy"))
    assert "handshake done, certificate until" in reason(proxy, "tls", "healthy")
    assert "certificate until" in reason(proxy, "lax", "healthy")
    assert "IP address mismatch" in reason(proxy, "unnamed", "unhealthy")
    assert "certificate" in reason(proxy, "stranger", "unhealthy")
    proxy.wait_log(r"warning.* server back/a: certificate until \S+, [89] days from now")


def test_dns_checks_of_nsd(lb, real):
    nsd = real(NsdServer)
    config = checked(nsd, type="dns", query={"name": "example", "type": "SOA"})
    for name, question in {"long": "many.example", "missing": "none.example", "refused": "other"}.items():
        config["pools"][name] = {
            "servers": [{"name": name, "address": nsd.address}],
            "health_check": {**QUICK, "type": "dns", "query": {"name": question, "type": "TXT"}}}
    proxy = lb(config)
    assert reason(proxy, "a", "healthy") == "NOERROR, 1 records"
    assert reason(proxy, "long", "healthy") == "NOERROR, 20 records"
    assert reason(proxy, "missing", "unhealthy") == "NXDOMAIN"
    assert reason(proxy, "refused", "unhealthy") in ("REFUSED", "SERVFAIL")
    nsd.kill()
    wait_state(proxy, "a", "unhealthy")


def test_grpc_checks_ask_for_their_service(lb, real):
    grpc = real(GrpcServer)
    config = checked(grpc, type="grpc")
    for name in ("well", "ill", "unknown"):
        config["pools"][name] = {"servers": [{"name": name, "address": grpc.address}],
                                 "health_check": {**QUICK, "type": "grpc", "service": name}}
    proxy = lb(config)
    assert reason(proxy, "a", "healthy") == "SERVING"
    assert reason(proxy, "well", "healthy") == "SERVING"
    assert reason(proxy, "ill", "unhealthy") == "NOT_SERVING"
    assert reason(proxy, "unknown", "unhealthy") == "grpc-status 5: unknown service"


@pytest.mark.fast
@pytest.mark.parametrize("kind, answer", [
    ("http", says(b"\xff" * 100_000)),
    ("http", says(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000)),
    ("http", says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok")),
    ("http", says()),
    ("http", says(*[bytes([c]) for c in b"HTTP/1.1 200 OK\r\n"], pause_s=0.2)),
    ("grpc", says(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    ("grpc", says(b"\0" * 1_000_000)),
    ("agent", says(b"up " * 1_000)),
    ("agent", says(b"what\n")),
    ("tls", says(b"220 mail ready\r\n")),
], ids=["bytes", "endless-head", "cut-body", "nothing", "drip", "http1", "zeros", "long-line", "no-word", "no-tls"])
def test_a_bad_answer_is_a_failure(lb, server, kind, answer):
    proxy = lb(checked(server(answer), type=kind))
    assert reason(proxy, "a", "unhealthy")


@pytest.mark.fast
@pytest.mark.parametrize("kind", ["http", "https", "tls", "grpc", "agent", "dns"])
def test_a_server_that_never_answers_fails_in_time_and_holds_up_nobody(lb, server, kind):
    if kind == "dns":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            proxy = lb(checked(f"127.0.0.1:{mute.getsockname()[1]}", type=kind, timeout="1s"))
            assert reason(proxy, "a", "unhealthy") == "timeout"
        return
    hanging, good = server(silent), server(http())
    config = checked(hanging, type=kind, timeout="1s")
    config["pools"]["good"] = {"servers": [{"name": "good", "address": good.address}],
                               "health_check": {**QUICK, "type": "http"}}
    proxy = lb(config)
    began = good.connections
    assert reason(proxy, "a", "unhealthy") == "timeout"
    assert good.connections > began, "checked meanwhile"


def names(proxy, count=12):
    seen = []
    for _ in range(count):
        with proxy.connect() as client:
            seen.append(client.receive_line().decode().strip())
    return {name: seen.count(name) for name in set(seen)}


@pytest.mark.fast
def test_an_overloaded_server_is_spared_but_never_an_outage(lb, server):
    traffic = [server(names_itself("a")), server(names_itself("b"), address="127.0.0.2:0")]
    # One port for the checks of both, on the address of each.
    load_a, load_b = Changing(http(body='{"cpu": 20}')), Changing(http(body='{"cpu": 20}'))
    checks = server(load_a)
    server(load_b, address=f"127.0.0.2:{checks.port}")
    proxy = lb(checked(*traffic, type="http", port=checks.port, thresholds={"cpu": "80%"}))
    for name in "ab":
        wait_state(proxy, name, "healthy")
    wait_until(lambda: names(proxy).keys() == {"a", "b"}, "both serve")
    load_a.now = http(body='{"cpu": 81}')
    assert reason(proxy, "a", "overloaded") == "cpu 81 % is above 80 %"
    wait_until(lambda: names(proxy).keys() == {"b"}, "a is spared")
    load_b.now = http(headers="endpoint-load-metrics: TEXT cpu_utilization=0.99\r\n")
    wait_state(proxy, "b", "overloaded")
    wait_until(lambda: names(proxy).keys() == {"a", "b"}, "when all are overloaded, all serve")
    load_a.now = http(body='{"cpu": 76}')
    time.sleep(0.3)
    assert len(re.findall(r"\ba is healthy", proxy.log())) == 1, "only 5 points below"
    load_a.now = http(body='{"cpu": 75}')
    wait_state(proxy, "a", "healthy", times=2)
    wait_until(lambda: names(proxy).keys() == {"a"}, "a is not, b is")


@pytest.mark.fast
def test_the_admin_address_tells_the_reported_load(lb, server):
    body = '{"cpu": 20, "network": 35}'
    at = server(http(body=body))
    with tempfile.TemporaryDirectory() as directory:
        admin = Admin(f"unix:{directory}/admin.sock")
        config = checked(at, type="http")
        config["admin"] = {"address": admin.address}
        proxy = lb(config)
        wait_state(proxy, "a", "healthy")
        assert admin.server("a")["load"] == 0.35, "the greater of cpu and network"


@pytest.mark.fast
def test_the_admin_address_tells_the_load_of_responses(lb, server, admin):
    reported = 'endpoint-load-metrics: JSON {"cpu_utilization": 0.25, "mem_utilization": 0.5}'
    at = server(serves(lambda _: response(b"ok", headers=[reported])))
    config = http_config({"name": "a", "address": at}, admin={"address": admin.address},
                         pool={"balance": {"least_load": "memory"}})
    proxy = lb(config)
    assert admin.server("a")["load"] is None

    def told():
        with proxy.connect() as client:
            assert asks(client).header("endpoint-load-metrics") is None
        return admin.server("a")["load"]
    wait_until(lambda: told() == 0.5, "what its pool balances by")


@pytest.mark.fast
def test_an_agent_sets_weight_and_state(lb, server):
    traffic = [server(names_itself("a")), server(names_itself("b"), address="127.0.0.2:0")]
    agent_a, agent_b = Changing(says(b"up\n")), Changing(says(b"up\n"))
    agent = server(agent_a)
    server(agent_b, address=f"127.0.0.2:{agent.port}")
    proxy = lb(checked(*traffic, type="agent", port=agent.port))
    for name in "ab":
        wait_state(proxy, name, "healthy")
    agent_a.now = says(b"up 50%\n")
    wait_until(lambda: names(proxy) == {"a": 4, "b": 8}, "half the weight, half the share")
    agent_a.now = says(b"drain\n")
    assert reason(proxy, "a", "draining") == "the agent said 'drain'"
    wait_until(lambda: names(proxy) == {"b": 12}, "a drains")
    agent_a.now = says(b"ready 100%\n")
    wait_until(lambda: names(proxy) == {"a": 6, "b": 6}, "a is back")
    agent_b.now = says(b"down # disk full\n")
    assert reason(proxy, "b", "unhealthy") == "the agent said 'down # disk full'"


@pytest.mark.fast
def test_pools_that_check_one_server_alike_check_it_once(lb, server):
    target = server(http())
    config = checked(target, type="http", interval="300ms")
    for name in ("second", "third"):
        config["pools"][name] = {"servers": [{"name": name, "address": target.address}],
                                 "health_check": config["pools"]["back"]["health_check"]}
    proxy = lb(config)
    for name in ("a", "second", "third"):
        wait_state(proxy, name, "healthy")
    # No check begins before the last one is over, so that two at most are counted late.
    before, began = target.connections, time.monotonic()
    wait_until(lambda: target.connections >= before + 10, "ten checks")
    assert time.monotonic() - began > 1.8, "not thirty in that time"
