# SPDX-License-Identifier: MIT
"""TLS to servers, TLS that is passed through by name, and real programs on both sides."""

import os
import socket
import ssl
import subprocess

import pytest
from lbtest import Connection, echo, free_port, names_itself, sink, tcp_config, wait_until


@pytest.fixture(scope="module")
def app(authority):
    return authority.issue("backend", "app.example", "127.0.0.1")


def over_tls(certificate, behaviour, seen=None, version=None):
    """A server's behaviour behind TLS; `seen` collects the names that clients ask for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate["certificate"], certificate["key"])
    if version:
        context.minimum_version = context.maximum_version = version
    context.sni_callback = lambda _, name, __: (seen if seen is not None else []).append(name)

    def served(connection):
        try:
            connection.socket = context.wrap_socket(connection.socket, server_side=True)
            behaviour(connection)
            connection.socket.unwrap()
        except (OSError, ValueError):
            pass  # the other end went away, or the test is over

    return served


@pytest.mark.fast
def test_a_pool_speaks_tls_to_its_servers_and_verifies_them(lb, server, authority, app):
    seen = []
    backend = server(over_tls(app, echo, seen))
    proxy = lb(tcp_config(backend, pool={"tls": {"ca": authority.ca, "server_name": "app.example"}}))
    data = b"".join(b"%d " % number for number in range(200_000))
    client = proxy.connect()
    client.send(data[:100_000])
    assert client.receive(100_000) == data[:100_000]
    assert seen == ["app.example"]


@pytest.mark.fast
def test_a_server_without_a_name_is_verified_by_its_address(lb, server, authority, app):
    proxy = lb(tcp_config(server(over_tls(app, names_itself("here"))),
                          pool={"tls": {"ca": authority.ca}}))
    assert proxy.connect().receive_line() == b"here\n"


@pytest.mark.fast
@pytest.mark.parametrize("tls", [{}, {"server_name": "other.example"}])
def test_a_server_that_cannot_be_verified_gets_no_client(lb, server, authority, app, tls):
    if tls:
        tls = {**tls, "ca": authority.ca}
    backend = server(over_tls(app, names_itself("here")))
    proxy = lb(tcp_config(backend, pool={"tls": {"verify": True, **tls}, "retries": "off"}))
    proxy.connect().expect_reset()
    proxy.wait_log("no TLS handshake: certificate verification failed")


@pytest.mark.fast
def test_verification_can_be_switched_off(lb, server, app):
    proxy = lb(tcp_config(server(over_tls(app, names_itself("here"))),
                          pool={"tls": {"verify": False}}))
    assert proxy.connect().receive_line() == b"here\n"


@pytest.mark.fast
def test_another_server_is_tried_after_a_failed_handshake(lb, server, authority, app):
    plain, good = server(names_itself("plain")), server(over_tls(app, names_itself("good")))
    proxy = lb(tcp_config(plain, good, pool={"tls": {"ca": authority.ca}}))
    for _ in range(4):
        assert proxy.connect().receive_line() == b"good\n"


@pytest.mark.fast
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_next_connection_to_a_server_takes_the_session_up(lb, server, authority, app, version):
    resumed = []

    def notes_it(connection):
        resumed.append(connection.socket.session_reused)
        names_itself("here")(connection)

    backend = server(over_tls(app, notes_it, version=version))
    proxy = lb(tcp_config(backend, pool={"tls": {"ca": authority.ca}}, runtime={"workers": 2}))
    for _ in range(5):
        assert proxy.connect().receive_line() == b"here\n"
    assert resumed == [False, True, True, True, True]


@pytest.mark.fast
@pytest.mark.parametrize("check, healthy", [
    ({"type": "tls"}, True), ({"type": "https", "expect_status": "200"}, True),
    ({"type": "tls", "verify": False}, True), ({"type": "tls", "ca": "stranger.pem"}, False)])
def test_checks_by_tls_do_as_the_traffic_does(lb, server, authority, app, check, healthy):
    def answers(connection):
        if connection.socket.recv(4096).startswith(b"GET /"):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.socket.unwrap()

    stranger = authority.issue("stranger")
    check = {**check, **({"ca": stranger["certificate"]} if "ca" in check else {})}
    tls = {"ca": authority.ca, "server_name": "app.example"}
    proxy = lb(tcp_config(server(over_tls(app, answers)),
                          pool={"tls": tls, "health_check": {"interval": "1s", **check}}))
    proxy.wait_log("is healthy" if healthy else "is unhealthy.*certificate verification failed")


def sni_config(listener=None, **pools):
    """Routes by name: NAME.example leads to the pool NAME."""
    return {
        "listeners": {"front": {
            "address": f"127.0.0.1:{free_port()}",
            "routes": [{"match": {"sni": f"{name}.example"}, "pool": name} for name in pools
                       if name != "rest"] + [{"pool": "rest"} for name in pools if name == "rest"],
            **(listener or {})}},
        "pools": {name: {"servers": [fake.address], "health_check": "off"}
                  for name, fake in pools.items()},
    }


@pytest.mark.fast
def test_tls_is_passed_through_by_name(lb, server, authority):
    certificates = {name: authority.issue(name, f"{name}.example") for name in ("db", "web")}
    proxy = lb(sni_config(**{name: server(over_tls(certificate, names_itself(name)))
                             for name, certificate in certificates.items()}))
    for name in certificates:
        assert authority.connect(proxy.address, f"{name}.example").receive_line() == f"{name}\n".encode()
    with pytest.raises(OSError):
        authority.connect(proxy.address, "unknown.example")


@pytest.mark.fast
def test_a_pool_may_hash_on_the_name_of_tls_that_passes_through(lb, server, authority):
    names = [f"{number}.example" for number in range(40)]
    certificate = authority.issue("many", *names)
    backs = [server(over_tls(certificate, names_itself(name))) for name in "abc"]
    config = tcp_config(*backs, pool={"balance": "round_robin"})
    proxy = lb(config)  # a reload makes it look at the name
    config["pools"]["back"] |= {"balance": "hash", "hash_on": "sni"}
    proxy.reload(config)
    seen = {name: authority.connect(proxy.address, name).receive_line() for name in names}
    assert len(set(seen.values())) == 3
    for name in names:
        assert authority.connect(proxy.address, name).receive_line() == seen[name]


@pytest.mark.fast
def test_what_has_no_name_goes_to_the_catch_all(lb, server):
    db, rest = server(names_itself("db")), server(names_itself("rest"))
    proxy = lb(sni_config(db=db, rest=rest))
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\n")
    assert client.receive_line() == b"rest\n"
    assert client.receive(5) == b"GET /"


@pytest.mark.fast
def test_a_client_hello_in_many_pieces_is_one(lb, server, authority):
    certificate = authority.issue("db", "db.example")
    proxy = lb(sni_config(db=server(over_tls(certificate, names_itself("db")))))
    hello, answer = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = authority.client().wrap_bio(answer, hello, server_hostname="db.example")
    client = proxy.connect()
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    for byte in hello.read():
        client.send(bytes([byte]))
    while True:
        answer.write(client.socket.recv(4096))
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            continue
    assert tls.version() == "TLSv1.3"


@pytest.mark.fast
def test_a_listener_routes_by_source(lb, server):
    config = sni_config(a=server(names_itself("a")), b=server(names_itself("b")))
    config["listeners"]["front"]["routes"] = [
        {"match": {"source": ["127.0.0.2"]}, "pool": "a"},
        {"match": {"source": "127.0.0.3"}, "split": {"a": 0, "b": 1}}]
    proxy = lb(config)
    assert proxy.connect(source="127.0.0.2:0").receive_line() == b"a\n"
    assert proxy.connect(source="127.0.0.3:0").receive_line() == b"b\n"
    proxy.connect(source="127.0.0.4:0").expect_reset()


@pytest.mark.fast
def test_open_connections_stay_when_routes_take_the_place_of_a_pool(lb, server):
    b = server(sink)
    config = sni_config(a=server(names_itself("a")), b=b)
    routed = config["listeners"]["front"]
    plain = {"address": routed["address"], "pool": "b"}
    proxy = lb({**config, "listeners": {"front": plain}})
    before = proxy.connect()
    before.send(b"to a server that says nothing")
    wait_until(lambda: b.connections == 1, "it is there")
    routed["routes"] = [{"match": {"source": "127.0.0.1"}, "pool": "a"}]
    proxy.reload(config)
    assert proxy.connect().receive_line() == b"a\n"
    before.finish().expect_eof()
    during = proxy.connect()
    assert during.receive_line() == b"a\n"
    proxy.reload({**config, "listeners": {"front": plain}})
    assert during.asks(b"still here") == b"still here"


def front(authority, **tls):
    return {"tls": {"certificates": [authority.issue("front", "127.0.0.1", "localhost")], **tls}}


def test_redis_behind_tls(lb, redis, authority):
    proxy = lb(tcp_config(redis, listener=front(authority)))
    port = proxy.address.rpartition(":")[2]
    done = subprocess.run(["redis-cli", "--tls", "--cacert", authority.ca, "-h", "127.0.0.1", "-p",
                           port, "ECHO", "hello"], capture_output=True, text=True, timeout=20)
    assert done.stdout.strip() == "hello", done.stderr


def psql(address, query, mode, authority, **options):
    host, _, port = address.rpartition(":")
    return subprocess.run(
        ["psql", "-XqAt", "-h", host, "-p", port, "-U", "postgres", "-c", query, "postgres"],
        text=True, capture_output=True, timeout=30,
        env={**os.environ, "PGSSLMODE": mode, "PGSSLROOTCERT": authority.ca, **options})


@pytest.mark.parametrize("mode", ["require", "verify-full", "prefer"])
def test_postgres_behind_tls(lb, postgres, authority, mode):
    proxy = lb(tcp_config(postgres, listener=front(authority, starttls="postgres")))
    query = "select sum(x) from generate_series(1, 100000) x"
    done = psql(proxy.address, query, mode, authority)
    assert done.stdout.strip() == "5000050000", done.stderr


def test_a_large_result_of_postgres_arrives_whole_over_tls(lb, postgres, authority):
    proxy = lb(tcp_config(postgres, listener=front(authority, starttls="postgres")))
    query = "select md5(x::text) from generate_series(1, 200000) x"
    assert psql(proxy.address, query, "require", authority).stdout.strip() == postgres.sql(query)


def test_postgres_without_tls_is_refused_in_its_own_words(lb, postgres, authority):
    proxy = lb(tcp_config(postgres, listener=front(authority, starttls="postgres")))
    done = psql(proxy.address, "select 1", "disable", authority)
    assert "encryption is required here (sslmode=require)" in done.stderr


@pytest.mark.fast
def test_bytes_in_clear_behind_a_request_for_tls_are_refused(lb, server, authority):
    proxy = lb(tcp_config(server(echo), listener=front(authority, starttls="postgres")))
    client = proxy.connect()
    client.send(bytes.fromhex("0000000804d2162f") + b"injected")
    assert client.ends()


@pytest.mark.fast
def test_gss_encryption_is_declined_and_tls_follows(lb, server, authority):
    proxy = lb(tcp_config(server(echo), listener=front(authority, starttls="postgres")))
    raw = proxy.connect()
    raw.send(bytes.fromhex("0000000804d21630"))
    assert raw.receive(1) == b"N"
    raw.send(bytes.fromhex("0000000804d2162f"))
    assert raw.receive(1) == b"S"
    client = Connection(authority.client().wrap_socket(raw.socket, server_hostname="localhost"))
    assert client.asks(b"hello") == b"hello"
    client.socket.shutdown(socket.SHUT_RDWR)
