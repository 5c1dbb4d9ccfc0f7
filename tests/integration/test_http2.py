# SPDX-License-Identifier: MIT
"""HTTP/2 from clients: what real ones do, and what a server, the log and the metrics see of it."""

import asyncio
import hashlib
import json
import shutil
import signal
import subprocess
import threading

import pytest
from lbtest import http2, wait_until
from lbtest.http import http_config, names_itself_in_http, response, serves, tells_what_it_got
from lbtest.http2 import head
from test_http_clients import curl, files  # noqa: F401 (files is a fixture)

PRIOR = "--http2-prior-knowledge"


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.mark.fast
def test_a_server_sees_a_request_of_http1(lb, server):
    proxy = lb(http_config(server(tells_what_it_got())))
    client = http2.Client(proxy.connect())
    client.send(head(1, "POST", "/x?y=z", [("x-mine", "1"), ("cookie", "a=1"), ("cookie", "b=2")],
                           ends=False), http2.frame(http2.DATA, http2.END_STREAM, 1, b"hello"))
    status, body = client.answer()
    told = body.decode().split("\n")
    assert status == 200 and told[0] == "POST /x?y=z HTTP/1.1"
    assert {"host: a.example", "x-mine: 1", "cookie: a=1; b=2", "via: 2.0 lb", "x-forwarded-proto: http",
            "x-forwarded-for: 127.0.0.1", "transfer-encoding: chunked"} <= set(told)
    assert told[-1].startswith("body: 5 ")


@pytest.mark.fast
def test_many_streams_share_a_connection(lb, server):
    released = threading.Event()

    def answer(got):
        if got.start.startswith("GET /slow "):
            assert released.wait(10)
        return response(got.start.split()[1].encode())

    proxy = lb(http_config(server(serves(answer))))
    client = http2.Client(proxy.connect())
    client.send(head(1, path="/slow"), *(head(2 * i + 3, path=f"/{i}") for i in range(50)))
    seen = {}
    while len(seen) < 50:
        kind, _, stream, payload = client.next()
        if kind == http2.DATA and payload:
            seen[stream] = payload
    assert seen == {2 * i + 3: f"/{i}".encode() for i in range(50)}
    released.set()
    assert client.answer(1) == (200, b"/slow")


@pytest.mark.fast
def test_curl_over_tls_and_in_clear(lb, server, authority):
    certificate = authority.issue("http2", "app.example", "127.0.0.1")
    one = server(tells_what_it_got())
    proxy = lb(http_config(one, listener={"tls": {"certificates": [certificate]}}))
    url = f"https://{proxy.address}/a"
    assert curl("--cacert", authority.ca, "-o", "/dev/null", "-w", "%{http_version}", url) == b"2"
    assert curl("--cacert", authority.ca, "--http1.1", "-o", "/dev/null", "-w", "%{http_version}",
                url) == b"1.1"
    plain = f"http://{lb(http_config(one)).address}/a"
    assert curl(PRIOR, "-o", "/dev/null", "-w", "%{http_version}", plain) == b"2"
    assert b"GET /a HTTP/1.1" in curl(PRIOR, plain)
    # An Upgrade is no way to HTTP/2, and no error.
    assert curl("--http2", "-o", "/dev/null", "-w", "%{http_version}", plain) == b"1.1"


@pytest.mark.fast
def test_alpn_keeps_to_what_the_file_says(lb, server, authority):
    certificate = authority.issue("http2", "app.example", "127.0.0.1")
    for ours, offered, chosen in ((["http/1.1"], ["h2", "http/1.1"], "http/1.1"),
                                  (["http/1.1", "h2"], ["h2", "http/1.1"], "http/1.1"),
                                  (["h2"], ["h2", "http/1.1"], "h2"), (["h2"], None, None)):
        proxy = lb(http_config(server(names_itself_in_http("a")), listener={
            "tls": {"certificates": [certificate], "alpn": ours}}))
        client = authority.connect(proxy.address, context=authority.client(alpn=offered))
        assert client.socket.selected_alpn_protocol() == chosen


def test_curl_moves_large_files_whole(lb, files):  # noqa: F811
    address, large, digest = files
    url = f"http://{lb(http_config(address)).address}"
    assert hashlib.sha256(curl(PRIOR, f"{url}/large")).hexdigest() == digest
    assert hashlib.sha256(curl(PRIOR, "--limit-rate", "60M", f"{url}/large")).hexdigest() == digest
    for arguments in (["-T", large], ["-T", large, "-H", "Expect:"], ["--data-binary", f"@{large}"]):
        assert curl(PRIOR, *arguments, f"{url}/x").decode() == digest, arguments


def test_curl_asks_for_many_things_at_once(lb, server, authority, tmp_path):
    certificate = authority.issue("http2", "app.example", "127.0.0.1")
    body = bytes(range(256)) * 400
    proxy = lb(http_config(server(serves(lambda _: response(body))),
                           listener={"tls": {"certificates": [certificate]}}))
    curl("--cacert", authority.ca, "--parallel", "--parallel-max", "50", "-o", f"{tmp_path}/#1.out",
         f"https://{proxy.address}/[1-100]")
    got = list(tmp_path.glob("*.out"))
    assert len(got) == 100 and all(file.read_bytes() == body for file in got)


def test_nghttp_moves_files_through_small_windows(lb, server, authority, files):  # noqa: F811
    address, large, digest = files
    certificate = authority.issue("http2", "app.example", "127.0.0.1")
    url = f"https://{lb(http_config(address, listener={'tls': {'certificates': [certificate]}})).address}"
    for bits in ((30, 30), (20, 30), (30, 18)):
        got = run("nghttp", "-w", bits[0], "-W", bits[1], f"{url}/large")
        assert hashlib.sha256(got).hexdigest() == digest, bits
    small = large.with_name("small")
    small.write_bytes(large.read_bytes()[:100_000])
    assert run("nghttp", "-w", 10, f"{url}/small") == small.read_bytes()
    assert run("nghttp", "-d", large, f"{url}/x").decode() == digest
    assert run("nghttp", "-d", large, "--trailer", "x-end: here", f"{url}/x").decode() == digest


def test_h2load_gets_every_answer(lb, server, authority, tmp_path):
    certificate = authority.issue("http2", "app.example", "127.0.0.1")
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 40)

    def answer(got):
        assert len(got.body) in (0, 10_240)
        return response(b"x" * 5_000)

    for tls, scheme in (({}, "http"), ({"tls": {"certificates": [certificate]}}, "https")):
        proxy = lb(http_config(*(server(serves(answer)) for _ in range(3)), listener=tls))
        for options in ([], ["-d", body], ["-w", "12"]):
            said = run("h2load", "-n", "600", "-c", "6", "-m", "20", *options,
                       f"{scheme}://{proxy.address}/").decode()
            assert "600 succeeded, 0 failed, 0 errored, 0 timeout" in said and "600 2xx" in said


@pytest.mark.fast
def test_the_log_tells_the_protocol(lb, server, tmp_path):
    log = tmp_path / "access.log"
    proxy = lb(http_config(server(names_itself_in_http("a")), listener={"access_log": {"output": str(log)}}))
    client = http2.Client(proxy.connect())
    client.send(head(1, path="/here"))
    assert client.answer() == (200, b"a")
    client.send(head(3, fields=[("Bad", "x")]))
    assert client.answer(3) == 1
    lines = wait_until(lambda: len(log.read_text().splitlines()) == 2 and log.read_text().splitlines(),
                       "two lines")
    good, bad = map(json.loads, lines)
    assert (good["protocol"], good["uri"], good["status"], good["termination"]) == ("HTTP/2.0", "/here", 200, "ok")
    assert (bad["protocol"], bad["termination"]) == ("HTTP/2.0", "bad_request")


@pytest.mark.fast
def test_a_response_that_breaks_off_is_not_complete(lb, server):
    def cuts(connection):
        connection.receive(16)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.close()

    proxy = lb(http_config(server(cuts)))
    client = http2.Client(proxy.connect())
    client.send(head())
    assert client.answer() == 2  # INTERNAL_ERROR


@pytest.mark.fast
def test_a_drain_loses_no_request(lb, server):
    arrived, released = threading.Event(), threading.Event()

    def answer(_):
        arrived.set()
        assert released.wait(10)
        return response(b"done")

    proxy = lb(http_config(server(serves(answer)), runtime={"drain_timeout": "20s"}))
    client = http2.Client(proxy.connect())
    client.send(head())
    assert arrived.wait(10)
    proxy.signal(signal.SIGTERM)
    assert client.until(http2.GOAWAY)[3][:4] == b"\x7f\xff\xff\xff"
    ping = client.until(http2.PING)[3]
    client.send(http2.frame(http2.PING, http2.ACK, 0, ping))
    assert client.until(http2.GOAWAY)[3][:8] == b"\0\0\0\x01\0\0\0\0"
    released.set()
    assert client.answer() == (200, b"done")
    client.connection.expect_eof()
    client.connection.close()
    assert proxy.wait_end() == 0


def served(proxy):
    """A client that got its answer, or nothing."""
    try:
        client = http2.Client(proxy.connect())
        client.send(head())
        return client if client.answer() == (200, b"a") else None
    except (OSError, AssertionError):
        return None


@pytest.mark.fast
def test_a_source_has_so_many_connections_at_a_time(lb, server):
    proxy = lb(http_config(server(names_itself_in_http("a")),
                           listener={"limits": {"max_connections_per_source": 2}}))
    kept = [served(proxy), served(proxy)]
    assert all(kept)
    assert served(proxy) is None
    kept.pop().connection.close()
    wait_until(lambda: served(proxy), "there is room again")


@pytest.mark.fast
def test_idle_connections_end_for_those_who_wait(lb, server):
    proxy = lb(http_config(server(names_itself_in_http("a")), listener={"limits": {"max_connections": 3}},
                           runtime={"workers": 1}))
    idle = [served(proxy) for _ in range(3)]
    assert all(idle)
    assert all([served(proxy) for _ in range(3)])
    assert [client.goaway() for client in idle] == [http2.NO_ERROR] * 3


def test_a_browser_opens_a_websocket_on_its_http2_connection(lb, authority, tmp_path):
    """RFC 8441: behind lb it is one of HTTP/1.1."""
    websockets = pytest.importorskip("websockets")
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    page = ("<!doctype html><script>s = new WebSocket('wss://' + location.host + '/socket');"
            "s.onopen = () => s.send('first'); s.onmessage = e => s.send('again ' + e.data)</script>")
    log = tmp_path / "access.log"

    async def dialogue():
        heard = asyncio.get_running_loop().create_future()

        async def behaviour(connection, *_):
            first = await connection.recv()
            await connection.send(first)
            heard.set_result((first, await connection.recv()))

        async with websockets.serve(behaviour, "127.0.0.1", 0) as backend:
            config = http_config("%s:%d" % backend.sockets[0].getsockname(), listener={
                "tls": {"certificates": [authority.issue("http2", "app.example", "127.0.0.1")]},
                "access_log": {"output": str(log)},
                "routes": [{"match": {"path": "/socket"}, "pool": "back"},
                           {"respond": {"status": 200, "body": page, "headers": {"Content-Type": "text/html"}}}]})
            del config["listeners"]["front"]["pool"]
            browser = await asyncio.create_subprocess_exec(
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--ignore-certificate-errors", f"--user-data-dir={tmp_path}/profile",
                "--remote-debugging-port=0", f"https://{lb(config).address}/",
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                return await asyncio.wait_for(heard, 60)
            finally:
                browser.kill()
                await browser.wait()

    assert asyncio.run(dialogue()) == ("first", "again first")

    def line():
        lines = map(json.loads, log.read_text().splitlines())
        return next((line for line in lines if line["uri"] == "/socket"), None)

    told = wait_until(line, "a line of the WebSocket")
    assert (told["protocol"], told["status"]) == ("HTTP/2.0", 101)
