# SPDX-License-Identifier: MIT
"""HTTP when a server or a client fails: the right status or a clean break, never a response that is
mixed up or looks complete and is not."""

import threading
import time

import pytest
from lbtest import in_background, wait_until
from lbtest.http import asks, http_config, names_itself_in_http, read_head, read_message, request, response


def answers_then(bytes_sent, end):
    """Reads a request, sends this, and ends the connection by end(connection)."""

    def behaviour(connection):
        read_message(connection)
        connection.send(bytes_sent)
        end(connection)

    return behaviour


def finishes(connection):
    connection.finish()


def resets(connection):
    connection.reset()


@pytest.mark.fast
def test_without_any_server_the_client_gets_503(lb, server):
    back = server()
    back.go_down()
    got = asks(lb(http_config(back)).connect())
    assert got.status == 503 and got.header("retry-after")
    assert got.body == b'{"error": "No healthy servers available"}'


@pytest.mark.fast
def test_full_servers_are_503(lb, server):
    back = server()
    proxy = lb(http_config({"address": back, "max_connections": 1}))
    proxy.connect().send(request())
    read_head(back.accept())
    assert asks(proxy.connect()).status == 503


@pytest.mark.fast
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"garbage\r\n\r\n",
                                  b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
                                  b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                                  b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"])
@pytest.mark.parametrize("end", [finishes, resets])
def test_a_server_that_breaks_off_before_its_response_is_502(lb, server, sent, end):
    back = server(answers_then(sent, end))
    proxy = lb(http_config(back, pool={"retries": "off"}))
    client = proxy.connect()
    got = asks(client, method="POST", body=b"x")
    assert got.status == 502 and got.body == b'{"error": "Bad gateway"}'
    assert back.connections == 1
    assert asks(client, method="POST", body=b"x").status == 502


@pytest.mark.fast
@pytest.mark.parametrize("head, whole", [
    (b"Content-Length: 10\r\n\r\nhello", False),
    (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", False),
    (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n", False),
    (b"\r\nhello", True),
])
@pytest.mark.parametrize("end", [finishes, resets])
def test_a_response_that_breaks_off_never_looks_complete(lb, server, head, whole, end):
    back = server(answers_then(b"HTTP/1.1 200 OK\r\n" + head, end))
    client = lb(http_config(back)).connect().send(request())
    if whole and end is finishes:
        assert read_message(client).body == b"hello"
        return
    with pytest.raises((AssertionError, ConnectionResetError, ValueError)):
        # What comes with the head is looked at before anything is said.
        assert read_message(client).status == 200


@pytest.mark.fast
def test_an_idempotent_request_is_tried_on_another_server(lb, server):
    bad = server(answers_then(b"", resets))
    good = server(names_itself_in_http("good"))
    client = lb(http_config(bad, good, pool={"retries": {"budget": "100%"}})).connect()
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        for _ in range(4):
            assert asks(client, method=method, body=b"x" if method == "PUT" else b"").body == b"good"
    assert bad.connections >= 4
    seen = {asks(client, method="POST", body=b"x").status for _ in range(4)}
    assert seen == {200, 502}


@pytest.mark.fast
def test_what_cannot_be_repeated_counts_against_its_server_too(lb, server):
    bad, good = server(answers_then(b"", resets)), server(names_itself_in_http("good"))
    rules = {"consecutive_failures": 3, "eject_for": "60s"}
    proxy = lb(http_config({"name": "bad", "address": bad}, good,
                           pool={"outlier_detection": rules}))
    client = proxy.connect()

    def ask():
        return asks(client, method="POST", body=b"x").status

    failures = 0
    while failures < 3:
        failures += ask() == 502
    proxy.wait_log("bad is ejected")
    wait_until(lambda: {ask() for _ in range(4)} == {200}, "every worker knows")


@pytest.mark.fast
def test_a_refused_connect_goes_to_another_server_whatever_the_method(lb, server):
    gone, good = server(), server(names_itself_in_http("good"))
    gone.go_down()
    client = lb(http_config(gone, good)).connect()
    for _ in range(4):
        assert asks(client, method="POST", body=b"x").body == b"good"


@pytest.mark.fast
def test_a_kept_connection_that_died_is_replaced_unseen(lb, server):
    back = server()
    proxy = lb(http_config(back, runtime={"workers": 1}, pool={"retries": "off"}))
    client = proxy.connect().send(request())
    end = back.accept()
    read_head(end)
    end.send(response(b"1"))
    assert read_message(client).body == b"1"
    # It ends just as the next request comes: which of the two lb sees first does not matter.
    client.send(request(path="/again"))
    read_head(end)
    end.reset()
    fresh = back.accept()
    assert read_head(fresh).start == "GET /again HTTP/1.1"
    fresh.send(response(b"2"))
    assert read_message(client).body == b"2"


@pytest.mark.fast
def test_what_cannot_be_repeated_goes_on_no_connection_that_has_ended(lb, server):
    back = server()
    proxy = lb(http_config(back, runtime={"workers": 1}, pool={"retries": "off"}))
    client = proxy.connect()
    for turn in range(10):
        client.send(request("POST", body=b"%d" % turn))
        end = back.accept()
        assert read_message(end).body == b"%d" % turn
        end.send(response(b"done"))
        assert read_message(client).body == b"done"
        end.finish()
        wait_until(lambda: end.unacknowledged() == 0, "lb could know of the end")
        end.close()


@pytest.mark.fast
def test_what_a_server_says_unasked_is_nobodys_response(lb, server):
    back = server()
    proxy = lb(http_config(back, runtime={"workers": 1}))
    client = proxy.connect().send(request())
    end = back.accept()
    read_head(end)
    end.send(response(b"1") + response(b"stray"))
    assert read_message(client).body == b"1"
    assert end.ends()
    client.send(request())
    fresh = back.accept()
    read_head(fresh)
    fresh.send(response(b"2"))
    assert read_message(client).body == b"2"


@pytest.mark.fast
def test_time_limits_of_the_server(lb, server):
    back = server()
    client = lb(http_config(back, pool={"timeouts": {"response": "200ms"}})).connect().send(request())
    end = back.accept()
    read_head(end)
    got = read_message(client)
    assert got.status == 504 and got.body == b'{"error": "Gateway timeout"}'
    assert end.ends()


@pytest.mark.fast
def test_a_response_body_that_stalls_is_broken_off(lb, server):
    back = server()
    client = lb(http_config(back, pool={"timeouts": {"response_body": "200ms"}})).connect()
    client.send(request())
    end = back.accept()
    read_head(end)
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    read_head(client)
    assert client.receive(5) == b"hello"
    assert client.ends()


@pytest.mark.fast
def test_a_connect_that_never_ends(lb, deaf_server):
    proxy = lb(http_config(deaf_server(), pool={"timeouts": {"connect": "200ms"}, "retries": "off"}))
    assert asks(proxy.connect()).status == 503


@pytest.mark.fast
def test_the_whole_request_may_be_limited_by_its_route(lb, server):
    config = http_config(server(), listener={"routes": [{"pool": "back", "timeout": "200ms"}]})
    del config["listeners"]["front"]["pool"]
    assert asks(lb(config).connect()).status == 504


@pytest.mark.fast
def test_slow_clients_are_told_so(lb, server):
    limits = {"request_header": "200ms", "request_body": "200ms", "keep_alive": "300ms"}
    proxy = lb(http_config(server(), listener={"timeouts": limits}))
    client = proxy.connect().send(b"GET / HTTP/1.1\r\nHost:")
    assert read_message(client).status == 408
    client.expect_eof()
    client = proxy.connect().send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    assert read_message(client).status == 408
    client.expect_eof()
    proxy.connect().expect_eof()


LARGE = b"x" * 100_000_000  # more than all buffers on the way hold
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(LARGE), LARGE)


@pytest.mark.fast
@pytest.mark.parametrize("said", [response(LARGE), CHUNKED], ids=["spliced", "copied"])
def test_a_client_that_takes_nothing_is_given_up(lb, server, said):
    back = server()
    proxy = lb(http_config(back, listener={"timeouts": {"send": "300ms"}}))
    client = proxy.connect().send(request())
    end = back.accept()
    read_head(end)
    end.send(said[:1_000])
    client.receive(100)
    time.sleep(0.2)  # what is watched at first is over
    sending = in_background(end.send, said[1_000:])
    with pytest.raises(ConnectionError):
        sending.result()
    with pytest.raises(ConnectionResetError):
        client.receive_all()


def test_a_reload_under_load_fails_no_request(lb, server):
    names = ["a", "b", "c"]
    servers = [server(names_itself_in_http(name)) for name in names]
    config = http_config(*servers[:2])
    proxy = lb(config)
    stop = threading.Event()

    def load():
        count = 0
        client = proxy.connect()
        while not stop.is_set():
            got = asks(client)
            assert got.status == 200 and got.body.decode() in names
            count += 1
            if got.header("connection") == "close":
                client.close()
                client = proxy.connect()
        return count

    running = [in_background(load) for _ in range(4)]
    for turn in range(6):
        config["pools"]["back"]["servers"] = [one.address for one in servers[turn % 2:turn % 2 + 2]]
        config["pools"]["back"]["balance"] = ["round_robin", "random"][turn % 2]
        proxy.reload(config)
    stop.set()
    assert all(one.result() > 0 for one in running)
