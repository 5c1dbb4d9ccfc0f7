# SPDX-License-Identifier: MIT
"""HTTP by its rules where they are easily broken: what may be sent once more, what ends without a
body, whom to believe, how long to wait for whom."""

import hashlib
import socket
from email.utils import parsedate_to_datetime

import pytest
from lbtest import wait_until
from lbtest.http import (asks, http_config, names_itself_in_http, read_head, read_message, request,
                         response, serves, tells_what_it_got)
from lbtest.logs import logged


def routed(*servers, routes, **rest):
    config = http_config(*servers, **rest)
    del config["listeners"]["front"]["pool"]
    config["listeners"]["front"]["routes"] = routes
    return config


def finishes(connection):
    connection.finish()


def resets(connection):
    connection.reset()


def final(client):
    """The response after those that are only interim, and how many of them there were."""
    interims = 0
    while (got := read_message(client)).status < 200:
        interims += 1
    return got, interims


@pytest.mark.fast
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_upload_whose_first_server_is_out_of_reach_arrives_whole(lb, server, deaf_server, method):
    good = server(tells_what_it_got())
    proxy = lb(http_config(deaf_server(), good, pool={"timeouts": {"connect": "400ms"}}))
    body = bytes(i * 7 % 251 for i in range(200_000))
    got = asks(proxy.connect(), method=method, body=body)
    assert got.status == 200
    assert f"body: {len(body)} {hashlib.sha256(body).hexdigest()}" in got.body.decode()


@pytest.mark.fast
def test_trailers_of_a_request_that_came_at_once_are_passed_on(lb, server):
    back = server()
    client = lb(http_config(back)).connect()
    for last in (b"", b"1\r\na\r\n"):
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + last +
                    b"0\r\nX-Sum: 7\r\n\r\n")
        end = back.accept()
        read_head(end)
        assert end.receive(len(last) + 15) == last + b"0\r\nX-Sum: 7\r\n\r\n"
        end.send(response(headers=["Connection: close"]))
        assert read_message(client).status == 200


@pytest.mark.fast
@pytest.mark.parametrize("end", [finishes, resets])
@pytest.mark.parametrize("sent", [b"HTTP/1.1 200 OK\r\nContent-Le",
                                  b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"])
def test_nothing_is_repeated_once_a_part_of_a_response_was_seen(lb, server, sent, end):
    def breaks_off(connection):
        read_message(connection)
        connection.send(sent)
        end(connection)

    bad, good = server(breaks_off), server(names_itself_in_http("good"))
    client = lb(http_config(bad, good, pool={"retries": {"budget": "100%"}})).connect()
    seen = []
    for _ in range(4):
        client.send(request())
        seen.append(final(client)[0].status)
    assert sorted(seen) == [200, 200, 502, 502]


@pytest.mark.fast
def test_interim_responses_have_an_end(lb, server):
    def floods(connection):
        read_message(connection)
        for _ in range(1000):
            connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        connection.send(response())

    client = lb(http_config(server(floods))).connect().send(request())
    got, interims = final(client)
    assert got.status == 502 and interims == 100


@pytest.mark.fast
def test_interim_responses_put_nothing_off(lb, server):
    def drips(connection):
        read_message(connection)
        for _ in range(30):
            connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            connection.ended.wait(0.1)
        connection.send(response())

    proxy = lb(http_config(server(drips), pool={"timeouts": {"response": "500ms"}}))
    assert final(proxy.connect().send(request()))[0].status == 504


@pytest.mark.fast
def test_who_waits_to_be_told_to_go_on_is_not_late(lb, server):
    def hesitates(connection):
        read_head(connection)
        connection.ended.wait(2.5)
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            connection.receive(2)
        except AssertionError:
            return  # from those who are late nothing comes
        connection.send(response(b"done"))

    proxy = lb(http_config(server(hesitates), listener={"timeouts": {"request_body": "1500ms"}}))
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    client = proxy.connect().send(head)
    assert read_head(client).status == 100
    client.send(b"ab")
    assert read_message(client).body == b"done"
    told = proxy.connect().send(head)
    assert read_head(told).status == 100
    assert read_message(told).status == 408
    did_not_wait = proxy.connect().send(head)
    did_not_wait.expect_nothing(0.05)
    did_not_wait.send(b"a")
    assert read_message(did_not_wait).status == 408


@pytest.mark.fast
def test_answers_that_have_no_body_have_none(lb):
    proxy = lb(routed("127.0.0.1:1", routes=[
        {"match": {"path": f"/{status}"}, "respond": {"status": status}}
        for status in (200, 204, 205, 304)]))
    client = proxy.connect()
    for status, length in ((204, None), (304, None), (205, "0"), (200, "0")):
        client.send(request(path=f"/{status}"))
        got = read_head(client)
        assert (got.status, got.header("content-length")) == (status, length)


@pytest.mark.fast
def test_routes_believe_forwarding_fields_of_trusted_proxies_only(lb, server):
    routes = [{"match": {"header": {"X-Real-IP": "10.0.0.1"}}, "respond": {"status": 200}},
              {"match": {"header": {"X_Forwarded_For": "*"}}, "respond": {"status": 200}},
              {"pool": "back"}]
    back = server(tells_what_it_got())
    stranger = lb(routed(back, routes=routes)).connect()
    trusted = {"trusted_proxies": ["127.0.0.0/8", "::1"]}
    proxy = lb(routed(back, routes=routes, listener=trusted)).connect()
    real = ["X-Real-IP: 10.0.0.1"]
    assert b"10.0.0.1" not in asks(stranger, headers=real).body
    assert asks(proxy, headers=real).body == b""
    for client in (stranger, proxy):
        got = asks(client, headers=["X_Forwarded_For: 6.6.6.6"])
        assert got.body.startswith(b"GET") and b"6.6.6.6" not in got.body


@pytest.mark.fast
def test_an_upgraded_connection_ends_with_its_server(lb, server):
    def says_goodbye(connection):
        read_head(connection)
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                        b"Upgrade: x\r\n\r\nbye")
        connection.close()

    client = lb(http_config(server(says_goodbye))).connect()
    client.send(request(headers=["Connection: upgrade", "Upgrade: x"]))
    assert read_head(client).status == 101
    assert client.receive(3) == b"bye"

    def has_ended():
        try:
            client.send(b"x" * 1000)
            return False
        except (ConnectionResetError, BrokenPipeError):
            return True

    wait_until(has_ended, "its end")


@pytest.mark.fast
def test_a_hash_is_of_the_host_that_was_asked_for(lb, server):
    servers = [server(names_itself_in_http(str(i))) for i in range(2)]
    proxy = lb(routed(*servers, pool={"balance": "hash", "hash_on": "host"},
                      routes=[{"pool": "back", "rewrite": {"host": "internal.example"}}]))
    client = proxy.connect()
    assert {asks(client, host=f"h{i}.example").body for i in range(24)} == {b"0", b"1"}


@pytest.mark.fast
def test_who_leaves_while_an_upload_waits_gives_up_its_place(lb, server, tmp_path):
    log, gone = tmp_path / "access.log", server()
    gone.go_down()
    proxy = lb(http_config(gone, listener={"access_log": {"output": str(log)}},
                           pool={"hold": "60s"}))
    client = proxy.connect()
    client.send(request("POST", headers=["Content-Length: 300000"]) + b"a" * 200_000)
    client.expect_nothing(0.3)
    client.reset()
    (line,) = wait_until(lambda: logged(log), "a line")
    assert line["termination"] == "client_gone" and line["duration_ms"] < 30_000


@pytest.mark.fast
def test_the_log_knows_what_was_asked_for_and_who_failed(lb, server, tmp_path):
    def breaks_off(connection):
        read_message(connection)
        connection.reset()

    log, back, gone = tmp_path / "access.log", server(breaks_off), server()
    gone.go_down()
    rules = {"remove": ["User-Agent", "Referer"]}
    config = routed(back, listener={
        "access_log": {"output": str(log)}, "limits": {"max_body_size": "10B", "max_uri_size": "512B"},
        "timeouts": {"request_header": "300ms"}}, routes=[
            {"match": {"path": "/gone"}, "pool": "gone"},
            {"match": {"path": "/*"}, "pool": "back", "request_headers": rules}])
    config["pools"]["gone"] = {**config["pools"]["back"], "servers": [gone.address]}
    proxy = lb(config)
    who = ["User-Agent: ua", "Referer: http://r/"]
    rows = [
        (request(headers=who), 502, "GET", "/", "back", back.address),
        (request(path="/gone", headers=who), 503, "GET", "/gone", "gone", gone.address),
        (request(path="/../x"), 400, "GET", "/../x", None, None),
        (request("POST", body=b"x" * 11), 413, "POST", "/", None, None),
        (request(path="/long" + "a" * 600), 414, "GET", "/long" + "a" * 600, None, None),
        (request(path="/big?q", headers=["X: " + "a" * 40_000]), 431, "GET", "/big?q", None, None),
        (b"GET /slow HTTP/1.1\r\nHost:", 408, "GET", "/slow", None, None),
        (request(path="/odd", headers=["Expect: odd"]), 417, "GET", "/odd", None, None),
    ]
    for number, (sent, status, method, uri, pool, name) in enumerate(rows, 1):
        assert read_message(proxy.connect().send(sent)).status == status
        wait_until(lambda: len(logged(log)) == number, "a line")
        line = logged(log)[-1]
        assert [line[key] for key in ("client", "status", "method", "uri", "pool", "server")] == [
            "127.0.0.1", status, method, uri, pool, name]
        if number <= 2:
            assert (line["user_agent"], line["referer"]) == ("ua", "http://r/")


@pytest.mark.fast
def test_pipelined_requests_are_answered_however_many_they_are(lb):
    proxy = lb(routed("127.0.0.1:1", routes=[
        {"match": {"path": f"/{i}"}, "respond": {"status": 200, "body": str(i)}}
        for i in range(10)]))
    client = proxy.connect()
    client.send(b"".join(request(path=f"/{i % 10}") for i in range(500)))
    for i in range(500):
        assert read_message(client).body == str(i % 10).encode()
    client.expect_nothing(0.05)
    assert asks(client, path="/7").body == b"7"


@pytest.mark.fast
def test_what_comes_late_takes_nothing_of_a_response_away(lb, server):
    body = bytes(300_000)
    proxy = lb(http_config(server(serves(lambda _: response(body)))))
    client = proxy.connect()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.send(request(version="1.0"))
    head = read_head(client)
    for _ in range(2):
        client.send(b"\r\n")
        proxy.connect().send(request()).receive(1)  # it had time to read that
    assert int(head.header("content-length")) == len(client.receive_all()) == len(body)


@pytest.mark.fast
def test_an_empty_line_behind_a_request_begins_no_other(lb, server):
    limits = {"request_header": "200ms", "keep_alive": "5s"}
    proxy = lb(http_config(server(names_itself_in_http("a")), listener={"timeouts": limits}))
    client = proxy.connect().send(request("POST", body=b"x") + b"\r\n")
    assert read_message(client).body == b"a"
    client.expect_nothing(0.8)
    assert asks(client).body == b"a"
    client.expect_eof()


@pytest.mark.fast
def test_answers_of_the_balancer_have_a_date_and_their_routes_headers(lb):
    proxy = lb(routed("127.0.0.1:1", routes=[
        {"match": {"path": "/ok"}, "respond": {"status": 200, "body": "x"}},
        {"match": {"path": "/to"}, "redirect": {"to": "/ok"},
         "response_headers": {"add": {"X-A": "1"}}},
        {"match": {"path": "/*"}, "pool": "back", "response_headers": {"add": {"X-A": "2"}}}]))
    for path, status, mark in (("/ok", 200, None), ("/to", 308, "1"), ("/no", 503, "2")):
        got = asks(proxy.connect(), path=path)
        assert (got.status, got.header("x-a")) == (status, mark)
        assert parsedate_to_datetime(got.header("date"))


@pytest.mark.fast
def test_who_names_no_host_at_a_unix_socket_asks_for_localhost(lb, server, socket_path):
    proxy = lb(http_config(server(tells_what_it_got()), address=f"unix:{socket_path}"))
    client = proxy.connect().send(b"GET / HTTP/1.0\r\n\r\n")
    assert b"host: localhost\n" in read_message(client).body


@pytest.mark.fast
def test_which_protocol_a_server_wants_is_passed_on(lb, server):
    wants = response(status="426 Upgrade Required", headers=["Connection: upgrade", "Upgrade: y"])
    got = asks(lb(http_config(server(serves(lambda _: wants)))).connect())
    assert (got.status, got.header("upgrade"), got.header("connection")) == (426, "y", "upgrade")
