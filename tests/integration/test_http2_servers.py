# SPDX-License-Identifier: MIT
"""Servers that speak HTTP/2 (protocol: h2): nghttpd, and clients of both versions before it."""

import hashlib
import os
import shutil
import struct
import subprocess

import pytest
from lbtest import free_port, http2, wait_until
from lbtest.connection import refuses
from lbtest.http import asks, http_config, read_head, read_message, request
from lbtest.http2 import frame, head
from test_http2 import PRIOR, run
from test_http_clients import curl

SIZE = 20_000_000
VERSIONS = [PRIOR, "--http1.1"]


@pytest.fixture
def nghttpd(tmp_path, authority):
    """nghttpd(tls=False, port=None): (address, process) of a new one, which serves tmp_path and
    echoes what it is sent."""
    if shutil.which("nghttpd") is None:
        pytest.skip("nghttpd is not installed")
    running = []

    def start(tls=False, port=None):
        certificate = authority.issue("nghttpd", "nghttpd.example")
        port = port or free_port()
        ends = [certificate["key"], certificate["certificate"]] if tls else []
        running.append(subprocess.Popen(
            ["nghttpd", *([] if tls else ["--no-tls"]), "-a", "127.0.0.1", "-d", tmp_path, "--echo-upload",
             "--trailer", "x-end: here", str(port), *ends], stdout=subprocess.DEVNULL))
        address = f"127.0.0.1:{port}"
        wait_until(lambda: not refuses(address), "nghttpd")
        return address, running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def large(tmp_path):
    """(file, hash)"""
    file = tmp_path / "large"
    file.write_bytes(os.urandom(SIZE))
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


def h2_config(*servers, pool=None, **options):
    return http_config(*servers, pool={"protocol": "h2", **(pool or {})}, **options)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tls", [False, True])
def test_large_files_pass_whole(lb, nghttpd, authority, large, version, tls):
    file, digest = large
    pool = {"tls": {"ca": authority.ca, "server_name": "nghttpd.example"}} if tls else {}
    url = f"http://{lb(h2_config(nghttpd(tls)[0], pool=pool)).address}"
    assert hashlib.sha256(curl(version, f"{url}/large")).hexdigest() == digest
    assert hashlib.sha256(curl(version, "--limit-rate", "60M", f"{url}/large")).hexdigest() == digest
    for arguments in (["--data-binary", f"@{file}"], ["-T", file, "-H", "Expect:"]):
        assert hashlib.sha256(curl(version, *arguments, f"{url}/x")).hexdigest() == digest


def connections_to(address):
    """How many there are, by the client's end."""
    wanted = f":{int(address.rpartition(':')[2]):04X}"
    lines = [line.split() for line in open("/proc/net/tcp", encoding="ascii")]
    return sum(line[2].endswith(wanted) and line[3] == "01" for line in lines)


@pytest.mark.fast
def test_clients_of_http1_share_a_connection(lb, nghttpd, tmp_path):
    (tmp_path / "small").write_bytes(b"some bytes")
    address, _ = nghttpd()
    proxy = lb(h2_config(address, runtime={"workers": 1}))
    clients = [proxy.connect() for _ in range(10)]
    for _ in range(3):
        for client in clients:
            client.send(request(path="/small"))
        for client in clients:
            got = read_message(client)
            assert (got.status, got.body) == (200, b"some bytes")
    assert asks(clients[0], path="/none").status == 404
    assert connections_to(address) == 1


def test_h2load_gets_every_answer(lb, nghttpd, tmp_path):
    (tmp_path / "small").write_bytes(b"x" * 5_000)
    proxy = lb(h2_config(*(nghttpd()[0] for _ in range(3))))
    for options in (["-m", "20"], ["-m", "20", "-w", "12"], ["--h1"]):
        said = run("h2load", "-n", "600", "-c", "6", *options, f"http://{proxy.address}/small").decode()
        assert "600 succeeded, 0 failed, 0 errored, 0 timeout" in said and "600 2xx" in said


@pytest.mark.fast
def test_a_server_that_is_killed_is_spoken_to_anew(lb, nghttpd, tmp_path):
    (tmp_path / "small").write_bytes(b"some bytes")
    address, process = nghttpd()
    client = lb(h2_config(address)).connect()
    assert asks(client, path="/small").body == b"some bytes"
    process.kill()
    process.wait()
    assert asks(client, path="/small").status == 503
    nghttpd(port=int(address.rpartition(":")[2]))
    assert asks(client, path="/small").body == b"some bytes"


@pytest.mark.fast
def test_a_server_that_goes_finishes_what_it_has_taken(lb, server):
    backend = server()
    client = http2.Client(lb(h2_config(backend, runtime={"workers": 1})).connect())
    client.send(head(1), head(3, "POST", ends=False), frame(http2.DATA, http2.END_STREAM, 3, b"x"))
    first = http2.Server(backend.accept())
    assert {first.asked(), first.asked()} == {1, 3}
    first.send(frame(http2.GOAWAY, payload=struct.pack(">II", 1, http2.NO_ERROR)))
    second = http2.Server(backend.accept())
    second.say(second.asked(), b"from the second")
    assert client.answer(3) == (200, b"from the second")
    client.send(head(5))
    second.say(second.asked(), b"again")
    assert client.answer(5) == (200, b"again")
    first.say(1, b"from the first")
    assert client.answer(1) == (200, b"from the first")
    first.expect_end()


@pytest.mark.fast
def test_where_streams_run_out_there_is_another_connection(lb, server):
    backend = server()
    client = http2.Client(lb(h2_config(backend, runtime={"workers": 1})).connect())
    client.send(head(1))
    first = http2.Server(backend.accept(), http2.setting(http2.Server.MAX_STREAMS, 1))
    first.until(http2.SETTINGS)
    first.send(frame(http2.PING, payload=b"have you"))
    first.until(http2.PING)
    client.send(head(3))
    second = http2.Server(backend.accept())
    second.say(second.asked(), b"b")
    assert client.answer(3) == (200, b"b")
    first.say(1, b"a")
    assert client.answer(1) == (200, b"a")


@pytest.mark.fast
def test_a_response_that_breaks_off_is_not_complete(lb, server):
    backend = server()
    proxy = lb(h2_config(backend, runtime={"workers": 1}))
    one, other = http2.Client(proxy.connect()), proxy.connect()
    one.send(head(1))
    end = http2.Server(backend.accept())
    end.say(end.asked(), b"half", ends=False)
    end.send(frame(http2.RST_STREAM, 0, 1, struct.pack(">I", http2.INTERNAL_ERROR)))
    assert one.answer(1) == http2.INTERNAL_ERROR
    other.send(request())
    end.say(end.asked(), b"half", ends=False)
    assert read_head(other).status == 200
    end.connection.close()
    heard = b""
    try:
        while piece := other.socket.recv(65536):
            heard += piece
    except ConnectionResetError:
        pass
    assert not heard.endswith(b"0\r\n\r\n")
