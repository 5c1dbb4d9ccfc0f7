# SPDX-License-Identifier: MIT
"""HTTP listeners, message by message: what a server sees of a request and a client of a response."""

import re

import pytest
from lbtest import free_port, in_background
from lbtest.http import (asks, http_config, names_itself_in_http, read_head, read_message, request,
                         response, serves, tells_what_it_got)


@pytest.mark.fast
def test_a_server_sees_the_request_and_who_sent_it(lb, server):
    proxy = lb(http_config(server(tells_what_it_got())))
    got = asks(proxy.connect(), path="/a/../b%7e?c=d", headers=["X-Mine: 1", "Connection: close, X-Hop",
                                                             "X-Hop: 1", "TE: trailers"])
    assert got.status == 200
    lines = got.body.decode().split("\n")
    assert lines[0] == "GET /b~?c=d HTTP/1.1"
    fields = dict(line.split(": ", 1) for line in lines[1:])
    assert re.fullmatch("[0-9a-f]{32}", fields.pop("x-request-id"))
    assert fields == {
        "host": "a.example", "x-mine": "1", "via": "1.1 lb", "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http", "x-forwarded-host": "a.example",
        "forwarded": "for=127.0.0.1;host=a.example;proto=http", "body": fields["body"]}
    assert got.header("connection") == "close"


@pytest.mark.fast
def test_forwarding_fields_are_believed_of_trusted_proxies_only(lb, server):
    said = ["X-Forwarded-For: 9.9.9.9", "X_Forwarded_For: 9.9.9.9", "X-Forwarded-Proto: https",
            "X-Forwarded-Host: b", "Forwarded: for=9.9.9.9", "X-Real-IP: 9.9.9.9", "X-Request-Id: mine"]
    back = server(tells_what_it_got())
    body = asks(lb(http_config(back)).connect(), headers=said).body.decode()
    assert "9.9.9.9" not in body and "https" not in body and "mine" not in body
    proxy = lb(http_config(back, listener={"trusted_proxies": ["127.0.0.0/8"]}))
    body = asks(proxy.connect(), headers=said).body.decode()
    assert "x-forwarded-for: 9.9.9.9, 127.0.0.1\n" in body
    assert "forwarded: for=9.9.9.9, for=127.0.0.1;" in body
    assert "x-forwarded-proto: https\n" in body and "x-request-id: mine\n" in body


@pytest.mark.fast
def test_connections_are_kept_on_both_sides(lb, server):
    back = server(tells_what_it_got())
    proxy = lb(http_config(back, runtime={"workers": 1}))
    for _ in range(3):
        with proxy.connect() as client:
            for _ in range(5):
                assert asks(client).status == 200
    assert back.connections == 1


@pytest.mark.fast
@pytest.mark.parametrize("workers", [1, 2])
def test_without_kept_connections_each_request_has_its_own(lb, server, workers):
    back = server(tells_what_it_got())
    proxy = lb(http_config(back, pool={"keep_alive_connections": 0}, runtime={"workers": workers}))
    client = proxy.connect()
    for _ in range(4):
        assert b"connection: close" in asks(client).body
    assert back.connections == 4


@pytest.mark.fast
def test_pipelined_requests_are_answered_in_order(lb, server):
    proxy = lb(http_config(server(tells_what_it_got())))
    client = proxy.connect()
    client.send(b"".join(request(path=f"/{i}", body=b"x" * i) for i in range(20)))
    for i in range(20):
        got = read_message(client)
        assert got.body.startswith(f"GET /{i} ".encode())
        assert f"body: {i} ".encode() in got.body


@pytest.mark.fast
def test_requests_that_come_byte_by_byte_are_whole(lb, server):
    client = lb(http_config(server(tells_what_it_got()))).connect()
    for byte in request("POST", body=b"hello"):
        client.send(bytes([byte]))
    assert b"body: 5 " in read_message(client).body


@pytest.mark.fast
@pytest.mark.parametrize("bytes_sent, status", [
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    (b"GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n", 413),
    (b"\x16\x03\x01\x02\x00", 400),
])
def test_what_is_refused_ends_the_connection_and_reaches_no_server(lb, server, bytes_sent, status):
    back = server()
    client = lb(http_config(back, listener={"limits": {"max_body_size": "1kB"}})).connect()
    client.send(bytes_sent)
    got = read_message(client)
    assert got.status == status
    assert got.header("content-type") == "application/json" and got.body.startswith(b'{"error": "')
    assert got.header("connection") == "close"
    client.expect_eof()
    if b"chunked\r\n\r\nx" not in bytes_sent:
        back.expect_no_connection(0.05)


@pytest.mark.fast
@pytest.mark.parametrize("at_once", [True, False])
def test_a_chunked_body_grows_no_larger_than_allowed(lb, server, at_once):
    back = server()
    client = lb(http_config(back, listener={"limits": {"max_body_size": "1kB"}})).connect()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"200\r\n" + b"x" * 512 + b"\r\n"
    client.send(head + chunk + chunk if at_once else head + chunk)
    if not at_once:
        end = back.accept()
        read_head(end)
        client.send(chunk)
    assert read_message(client).status == 413
    client.expect_eof()


@pytest.mark.fast
def test_responses_end_for_the_client_as_they_end_for_us(lb, server):
    answers = {
        "/length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "/none": b"HTTP/1.1 204 No Content\r\n\r\n",
        "/same": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: 1\r\n\r\n",
        "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    }
    proxy = lb(http_config(server(serves(lambda got: answers[got.start.split()[1]]))))
    client = proxy.connect()
    assert asks(client, path="/length").body == b"hello"
    assert asks(client, path="/none").status == 204
    assert asks(client, path="/same").header("content-length") == "5"
    got = asks(client, path="/chunks")
    assert got.body == b"hello" and got.header("transfer-encoding") == "chunked"
    assert asks(client, path="/hints").status == 103
    assert read_message(client).status == 200
    assert asks(client, method="HEAD", path="/length").header("content-length") == "5"
    assert asks(client, path="/length").body == b"hello"


@pytest.mark.fast
def test_a_body_that_ends_with_the_servers_connection(lb, server):
    def behaviour(connection):
        read_message(connection)
        connection.send(b"HTTP/1.0 200 OK\r\n\r\nhello").finish()

    proxy = lb(http_config(server(behaviour)))
    client = proxy.connect()
    for _ in range(2):
        got = asks(client)
        assert got.body == b"hello" and got.header("transfer-encoding") == "chunked"
    old = proxy.connect().send(request(version="1.0"))
    got = read_message(old)
    assert got.body == b"hello" and got.header("connection") == "close"


@pytest.mark.fast
def test_http_1_0_is_kept_alive_only_when_it_asks(lb, server):
    proxy = lb(http_config(server(tells_what_it_got())))
    client = proxy.connect()
    for _ in range(2):
        got = asks(client, version="1.0", headers=["Connection: keep-alive"])
        assert got.header("connection") == "keep-alive"
    assert asks(client, version="1.0").header("connection") == "close"
    client.expect_eof()


@pytest.mark.fast
def test_expect_continue_is_the_servers_to_answer(lb, server):
    back = server()
    client = lb(http_config(back)).connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    end = back.accept()
    assert read_head(end).header("expect") == "100-continue"
    client.expect_nothing(0.1)
    end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert read_message(client).status == 100
    client.send(b"hello")
    assert end.receive(5) == b"hello"
    end.send(response(b"thanks"))
    assert read_message(client).body == b"thanks"


@pytest.mark.fast
def test_an_early_response_ends_the_upload(lb, server):
    back = server()
    client = lb(http_config(back)).connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome")
    end = back.accept()
    read_head(end)
    end.receive(4)
    end.send(response(b"no", "403 Forbidden"))
    got = read_message(client)
    assert got.status == 403 and got.header("connection") == "close"
    client.expect_eof()
    assert end.ends()


@pytest.mark.fast
def test_a_client_that_leaves_takes_its_server_connection_along(lb, server):
    back = server()
    client = lb(http_config(back)).connect().send(request())
    end = back.accept()
    read_head(end)
    client.close()
    assert end.ends()


@pytest.mark.fast
def test_an_upgraded_connection_passes_bytes_both_ways(lb, server):
    back = server()
    client = lb(http_config(back)).connect()
    client.send(request(headers=["Connection: Upgrade", "Upgrade: websocket"]) + b"early")
    end = back.accept()
    head = read_head(end)
    assert head.header("connection") == "upgrade" and head.header("upgrade") == "websocket"
    end.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
    assert read_head(client).header("upgrade") == "websocket"
    assert client.receive(5) == b"first"
    assert end.receive(5) == b"early"
    for _ in range(3):
        client.send(b"ping")
        assert end.receive(4) == b"ping"
        end.send(b"pong")
        assert client.receive(4) == b"pong"
    client.finish()
    end.expect_eof()
    end.send(b"last").finish()
    assert client.receive_all() == b"last"


@pytest.mark.fast
def test_routes_lead_to_pools_redirects_and_answers(lb, server):
    config = http_config(server(names_itself_in_http("a")), listener={"routes": [
        {"match": {"host": "*.b.example"}, "pool": "b"},
        {"match": {"path": "/old/*"}, "redirect": {"to": "https://{host}/new{uri}", "status": 301}},
        {"match": {"path": "/closed"}, "respond": {"status": 503, "body": "closed",
                                                  "headers": {"Retry-After": "60"}}},
        {"match": {"path": "/api/*"}, "pool": "tells",
         "rewrite": {"strip_prefix": "/api", "add_prefix": "/v2", "host": "inner"},
         "request_headers": {"set": {"X-A": "1"}, "remove": ["X-B"]},
         "response_headers": {"add": {"X-C": "2"}}},
        {"match": {"method": "GET", "path": "/"}, "pool": "back"}]})
    del config["listeners"]["front"]["pool"]
    for name, behaviour in (("b", names_itself_in_http("b")), ("tells", tells_what_it_got())):
        config["pools"][name] = {"health_check": "off", "servers": [server(behaviour).address]}
    client = lb(config).connect()
    assert asks(client).body == b"a"
    assert asks(client, host="X.B.Example:80").body == b"b"
    got = asks(client, path="/old/x?y")
    assert (got.status, got.header("location")) == (301, "https://a.example/new/old/x?y")
    got = asks(client, path="/closed")
    assert (got.status, got.body, got.header("retry-after")) == (503, b"closed", "60")
    got = asks(client, path="/api/x", headers=["X-B: 1"])
    assert got.body.startswith(b"GET /v2/x HTTP/1.1\nhost: inner\n") and got.header("x-c") == "2"
    assert b"x-a: 1" in got.body and b"x-b" not in got.body
    assert asks(client, path="/elsewhere").status == 404
    assert asks(client, method="POST").status == 404


@pytest.mark.fast
@pytest.mark.parametrize("hash_on, make", [
    ("uri", lambda key: {"path": f"/{key}"}),
    ("host", lambda key: {"host": f"h{key}"}),
    ("header:X-Key", lambda key: {"headers": [f"x-key: {key}"]}),
    ("cookie:id", lambda key: {"headers": [f"Cookie: a=b; id={key}; c=d"]}),
])
def test_hashes_on_what_a_request_says(lb, server, hash_on, make):
    names = [server(names_itself_in_http(name)) for name in "abc"]
    client = lb(http_config(*names, pool={"balance": "hash", "hash_on": hash_on})).connect()
    seen = {key: asks(client, **make(key)).body for key in range(60)}
    assert len(set(seen.values())) == 3
    assert all(asks(client, **make(key)).body == name for key, name in seen.items())


@pytest.mark.fast
def test_a_draining_listener_ends_its_connections_between_requests(lb, server):
    back = server()
    proxy = lb(http_config(back, runtime={"workers": 1}))
    busy, idle = proxy.connect(), proxy.connect()
    idle.send(request())
    first = back.accept()
    read_head(first)
    first.send(response(b"x"))
    read_message(idle)
    busy.send(request(path="/slow"))
    end = first
    assert read_head(end).start == "GET /slow HTTP/1.1"
    proxy.terminate()
    idle.expect_eof()
    end.send(response(b"done"))
    got = read_message(busy)
    assert got.body == b"done" and got.header("connection") == "close"
    busy.expect_eof()
    assert proxy.wait_end() == 0


@pytest.mark.fast
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 196_608, 196_609, 8_000_001])
def test_bodies_of_every_size_arrive_whole_both_ways_and_the_next_request_too(lb, server, size):
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    back = server(serves(lambda got: response(got.body)))
    client = lb(http_config(back, runtime={"workers": 1})).connect()
    for _ in range(3):
        sending = in_background(lambda: client.send(request("PUT", body=body) + request()))
        assert read_message(client).body == body
        assert read_message(client).body == b""
        sending.result()
    assert back.connections == 1


@pytest.mark.fast
def test_a_large_body_that_ends_with_the_connection_arrives_whole(lb, server):
    body = bytes(range(256)) * 20_000

    def behaviour(connection):
        read_message(connection)
        connection.send(b"HTTP/1.0 200 OK\r\n\r\n" + body).finish()

    proxy = lb(http_config(server(behaviour)))
    assert asks(proxy.connect()).body == body
    assert asks(proxy.connect(), version="1.0").body == body


@pytest.mark.fast
def test_an_upgraded_connection_carries_bulk_both_ways_at_once(lb, server):
    def behaviour(connection):
        read_head(connection)
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        while data := connection.socket.recv(1_000_000):
            connection.send(data)
        connection.finish()

    client = lb(http_config(server(behaviour))).connect()
    client.send(request(headers=["Connection: Upgrade", "Upgrade: x"]))
    assert read_head(client).status == 101
    data = bytes(range(256)) * 40_000
    sending = in_background(lambda: client.send(data).finish())
    assert client.receive_all() == data
    sending.result()


@pytest.mark.fast
def test_a_large_body_waits_for_a_slow_client(lb, server):
    size = 30_000_000
    back = server(serves(lambda _: response(b"x" * size)))
    proxy = lb(http_config(back))
    client = proxy.connect()
    client.send(request())
    before = proxy.rss_kib()
    head = read_head(client)
    reading = in_background(lambda: client.receive(size))
    assert int(head.header("content-length")) == size
    assert len(reading.result()) == size
    assert proxy.rss_kib() - before < 8_000


@pytest.mark.fast
def test_without_a_file(lb, server):
    address = f"127.0.0.1:{free_port()}"
    to = ",".join(server(names_itself_in_http(name)).address for name in "ab")
    proxy = lb("", arguments=("http", "--listen", address, "--to", to))
    assert {asks(proxy.connect(address)).body for _ in range(8)} == {b"a", b"b"}
