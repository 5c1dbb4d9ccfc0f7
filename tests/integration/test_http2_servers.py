# SPDX-License-Identifier: MIT
"""Servers that speak HTTP/2 (protocol: h2): nghttpd, and clients of both versions before it."""

import hashlib
import os
import shutil
import subprocess

import pytest
from lbtest import free_port, wait_until
from lbtest.connection import refuses
from lbtest.http import asks, http_config, read_message, request
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
