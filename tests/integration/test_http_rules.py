# SPDX-License-Identifier: MIT
"""HTTP by its rules where they are easily broken: what may be sent once more, what ends without a
body, whom to believe, how long to wait for whom."""

import hashlib
import time

import pytest
from lbtest import in_background
from lbtest.http import (asks, http_config, names_itself_in_http, read_head, read_message, request,
                         response, serves, tells_what_it_got)


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
        connection.ended.wait(0.8)
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            connection.receive(2)
        except AssertionError:
            return  # from those who are late nothing comes
        connection.send(response(b"done"))

    proxy = lb(http_config(server(hesitates), listener={"timeouts": {"request_body": "300ms"}}))
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

    def talks_on():
        until = time.monotonic() + 10
        while time.monotonic() < until:
            client.send(b"x" * 1000)
            time.sleep(0.02)

    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        in_background(talks_on).result()
