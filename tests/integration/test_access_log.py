# SPDX-License-Identifier: MIT
"""Access logs: what they say of each connection, where they go, and what a bad output cannot do."""

import fcntl
import json
import os
import re
import signal

import pytest
from lbtest import echo, free_port, reset_after, resets, source, tcp_config, wait_until
from lbtest.datagrams import udp_config
from lbtest.http import (asks, http_config, names_itself_in_http, read_head, read_message, request,
                         response, serves)
from lbtest.logs import logged


def with_log(server, path, **options):
    return tcp_config(server, listener={"access_log": {"output": str(path), **options}})


@pytest.mark.fast
def test_a_connection_is_one_line_of_json(lb, server, tmp_path):
    one, log = server(echo), tmp_path / "access.log"
    proxy = lb(with_log(one, log))
    with proxy.connect() as client:
        port = client.socket.getsockname()[1]
        assert client.asks(b"hello") == b"hello"
    (line,) = wait_until(lambda: logged(log), "a line")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    expected = {"listener": "front", "client": "127.0.0.1", "client_port": port, "protocol": "tcp",
                "tls": None, "pool": "back", "server": one.address, "retries": 0, "bytes_in": 5,
                "bytes_out": 5, "termination": "finished"}
    assert expected.items() <= line.items()
    for key in ("queue_ms", "connect_ms", "response_ms", "duration_ms"):
        assert 0 <= line[key] < 10_000


@pytest.mark.fast
def test_standard_output_and_the_combined_format(lb, server):
    one = server(source(b"x" * 1000))
    proxy = lb(tcp_config(one, listener={"access_log": {"format": "combined"}}))
    with proxy.connect() as client:
        assert len(client.receive_all()) == 1000
    line = wait_until(lambda: proxy.output().endswith("\n") and proxy.output(), "a line")
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "TCP" - 1000 "-" "-" '
        r"listener=front server=back/" + re.escape(one.address) + r" retries=0 queue_ms=\d+ "
        r'connect_ms=\d+ response_ms=\d+ duration_ms=\d+ termination="finished"\n', line)


@pytest.mark.fast
def test_a_session_of_datagrams_is_one_line(lb, udp_server, udp_client, tmp_path):
    one, log = udp_server(), tmp_path / "access.log"
    proxy = lb(udp_config(one, listener={"access_log": {"output": str(log)}, "udp": {"responses": 1}}))
    client = udp_client(proxy.address)
    assert client.asks(b"hello") == b"hello"
    (line,) = wait_until(lambda: logged(log), "a line")
    expected = {"listener": "front", "client": "127.0.0.1", "protocol": "udp", "pool": "back",
                "client_port": client.socket.getsockname()[1], "server": one.address, "bytes_in": 5,
                "bytes_out": 5, "datagrams_in": 1, "datagrams_out": 1, "termination": "finished"}
    assert expected.items() <= line.items()


@pytest.mark.fast
def test_retries_and_reasons_are_told(lb, server, tmp_path):
    log = tmp_path / "access.log"
    gone, cut = f"127.0.0.1:{free_port()}", server(resets)
    with lb(with_log(gone, log)).connect() as client:
        client.expect_reset()
    wait_until(lambda: len(logged(log)) == 1, "a line")
    config = with_log(gone, log)
    config["pools"]["back"]["servers"] = [gone, cut.address]
    proxy = lb(config)
    for _ in range(2):
        with proxy.connect() as client:
            client.expect_reset()
    wait_until(lambda: len(logged(log)) == 3, "three lines")
    first, *others = logged(log)
    assert first["termination"] == "no server could be reached"
    assert first["server"] is None and first["connect_ms"] is None
    for line in others:
        assert (line["server"], line["termination"]) == (cut.address, "reset by server")
    assert [first["retries"], *sorted(line["retries"] for line in others)] == [2, 0, 1]


@pytest.mark.fast
def test_sigusr1_opens_access_logs_anew(lb, server, tmp_path):
    one, log, old = server(echo), tmp_path / "access.log", tmp_path / "access.log.1"
    proxy = lb(with_log(one, log))
    with proxy.connect() as client:
        assert client.asks(b"1") == b"1"
    wait_until(lambda: logged(log), "a line")
    log.rename(old)
    proxy.signal(signal.SIGUSR1)
    wait_until(log.exists, "the log, anew")

    def is_used():
        with proxy.connect() as client:
            assert client.asks(b"22") == b"22"
        return logged(log)

    wait_until(is_used, "a line, there")  # the file may be there before it is written to
    wait_until(lambda: len(logged(old) + logged(log)) == one.connections, "no line is lost")
    assert {line["bytes_in"] for line in logged(log)} == {2}


@pytest.mark.fast
def test_a_reload_changes_where_lines_go(lb, server, tmp_path):
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    one = server(echo)
    config = with_log(one, first)
    proxy = lb(config)
    early = proxy.connect()
    assert early.asks(b"early") == b"early"
    config["listeners"]["front"]["access_log"] = {"output": str(second)}
    proxy.reload(config)
    early.close()
    wait_until(lambda: len(logged(second)) == 1, "the line of a connection from before")
    config["listeners"]["front"]["access_log"] = {"output": str(tmp_path / "none" / "x.log")}
    proxy.reload(config)
    proxy.wait_log("listeners.front.access_log.output: .*; the running configuration stays")
    with proxy.connect() as client:
        assert client.asks(b"hello") == b"hello"
    wait_until(lambda: len(logged(second)) == 2, "a line in the log that stays")
    config["listeners"]["front"]["access_log"] = "off"
    proxy.reload(config)
    with proxy.connect() as client:
        assert client.asks(b"hello") == b"hello"
    wait_until(lambda: str(second) not in proxy.open_files(), "the file is let go")
    assert len(logged(second)) == 2 and logged(first) == []


def test_a_log_that_cannot_be_opened_stops_the_start(lb, server, tmp_path):
    proxy = lb(with_log(server(echo), tmp_path / "none" / "x.log"), ready=False)
    proxy.exit_code = 1
    assert proxy.wait_end() == 1
    assert "listeners.front.access_log.output: " in proxy.log()


def test_a_reader_that_stalls_holds_up_nobody_and_what_is_lost_is_said(lb, server, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    proxy = lb({**with_log(server(echo), fifo), "runtime": {"workers": 1}})
    connections = 1500  # of over 250 bytes each, beside 256 KiB
    for _ in range(connections):
        with proxy.connect() as client:
            assert client.asks(b"hello") == b"hello"
    proxy.terminate()
    os.set_blocking(reader, True)
    with open(reader, "rb") as late:
        lines = late.read().splitlines()
    assert proxy.wait_end() == 0
    lost = sum(map(int, re.findall(r"access log \S+: (\d+) lines were lost", proxy.log())))
    assert lost > 0 and len(lines) + lost == connections
    for line in lines:
        assert json.loads(line)["termination"] == "finished"


def http_with_log(path, *servers, **options):
    listener = {"access_log": {"output": str(path)}, **options.pop("listener", {})}
    return http_config(*servers, listener=listener, **options)


@pytest.mark.fast
def test_a_request_is_one_line_of_json(lb, server, tmp_path):
    one, log = server(serves(lambda _: response(b"x" * 1234))), tmp_path / "access.log"
    proxy = lb(http_with_log(log, one))
    client = proxy.connect()
    for _ in range(2):
        asks(client, method="PUT", path="/a/./b?c=%22d", host="shop.example", body=b"12345",
             headers=["User-Agent: a \"b\"", "Referer: https://x.example/", "X-Request-Id: forged"])
    lines = wait_until(lambda: len(logged(log)) == 2 and logged(log), "two lines")
    expected = {"listener": "front", "client": "127.0.0.1", "protocol": "HTTP/1.1", "tls": None,
                "client_port": client.socket.getsockname()[1], "method": "PUT", "status": 200,
                "host": "shop.example", "uri": "/a/b?c=%22d", "referer": "https://x.example/",
                "user_agent": 'a "b"', "pool": "back", "server": one.address, "retries": 0,
                "bytes_in": 5, "bytes_out": 1234, "termination": "ok"}
    for line in lines:
        assert expected.items() <= line.items()
        assert re.fullmatch(r"[0-9a-f]{32}", line["request_id"])
        assert line["duration_ms"] >= line["queue_ms"] + line["connect_ms"] + line["response_ms"]
    assert lines[1]["connect_ms"] == 0  # the connection was there


@pytest.mark.fast
def test_requests_in_the_combined_format(lb, server):
    one = server(serves(lambda _: response(b"abc")))
    proxy = lb(http_config(one, listener={"access_log": {"format": "combined"}}))
    asks(proxy.connect(), path="/x", headers=['User-Agent: evil\\" 200 é[2J'])
    line = wait_until(proxy.output, "a line")
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /x HTTP/1\.1" 200 3 "-" '
        r'"evil\\x5C\\x22 200 \\xC3\\xA9\[2J" listener=front server=back/\S+ retries=0 queue_ms=\S+ '
        r'connect_ms=\S+ response_ms=\S+ duration_ms=\S+ termination="ok"\n', line)


@pytest.mark.fast
def test_every_way_to_end_has_its_word(lb, server, tmp_path):
    log = tmp_path / "access.log"

    def breaks_within(connection):
        read_message(connection)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").finish()

    cut = server(breaks_within)
    breaks, nonsense = server(reset_after(10)), server(serves(lambda _: b"SSH-2.0-x\r\n\r\n"))
    good = server(names_itself_in_http("good"))
    pools = {name: {"health_check": "off", "servers": [address]} for name, address in {
        "cut": cut.address, "breaks": breaks.address, "nonsense": nonsense.address,
        "good": good.address, "gone": f"127.0.0.1:{free_port()}"}.items()}
    routes = [{"match": {"path": f"/{name}"}, "pool": name} for name in pools]
    routes.append({"match": {"path": "/fixed"}, "respond": {"status": 204}})
    config = http_with_log(log, good, listener={"routes": routes})
    del config["listeners"]["front"]["pool"]
    config["pools"] = pools
    proxy = lb(config)
    expected = {"/good": (200, "ok"), "/fixed": (204, "by_route"), "/none": (404, "no_route"),
                "/gone": (503, "connect_failed"), "/breaks": (502, "server_failed"),
                "/nonsense": (502, "server_nonsense"), "/cut": (200, "server_cut")}
    for path in expected:
        with proxy.connect() as client:
            client.send(request("POST", path, headers=["Connection: close"]))
            read_head(client)
            while not client.ends():
                pass
    with proxy.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        read_head(client)
    lines = wait_until(lambda: len(logged(log)) > len(expected) and logged(log), "all lines")
    assert {line["uri"]: (line["status"], line["termination"]) for line in lines} == {
        **expected, "/": (400, "bad_request")}


@pytest.mark.fast
def test_a_log_cannot_be_forged_by_what_clients_send(lb, server, tmp_path):
    log = tmp_path / "access.log"
    # One worker: lines of several come in any order.
    proxy = lb(http_with_log(log, server(names_itself_in_http("one")), runtime={"workers": 1}))
    nasty = ['"', "\\", '", "status": 500, "x": "', "\xff\xfe", "\xe2\x80\xa8", "\xc0\xaf", "\x80" * 900]
    for text in nasty:
        with proxy.connect() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x" + text.encode("latin-1") +
                        b"y\r\nReferer: " + text.encode("latin-1") + b"\r\n\r\n")
            assert read_head(client).status == 200
    lines = wait_until(lambda: len(logged(log)) == len(nasty) and logged(log), "all lines")
    for line, text in zip(lines, nasty):
        assert line["status"] == 200
        sent = text.encode("latin-1").decode(errors="replace")
        # Python joins what it replaces, lb replaces byte by byte.
        assert re.sub("\ufffd+", "\ufffd", line["user_agent"]) == re.sub("\ufffd+", "\ufffd", f"x{sent}y")
