# SPDX-License-Identifier: MIT
"""gRPC through lb, as python3-grpcio speaks it, from clients to servers by HTTP/2."""

import json
import pathlib
import subprocess
import sys

import lbtest
import pytest
from lbtest import free_port, wait_until
from lbtest.connection import refuses
from lbtest.http import http_config

pytest.importorskip("grpc")
PYTHON = (sys.executable, "-P")  # not to take what stands beside the script for a part of grpc
CALLS = pathlib.Path(lbtest.__file__).parent / "grpc_calls.py"


@pytest.fixture
def grpc_servers():
    """Two servers of gRPC: their addresses, by name."""
    running, addresses = [], {}
    for name in ("one", "two"):
        port = free_port()
        running.append(subprocess.Popen([*PYTHON, CALLS, "serve", str(port), name]))
        addresses[name] = f"127.0.0.1:{port}"
    for address in addresses.values():
        wait_until(lambda: not refuses(address), "a server of gRPC")
    yield addresses
    for process in running:
        process.kill()
        process.wait()


def grpc_config(*servers, **options):
    return http_config(*servers, pool={"protocol": "h2", **options.pop("pool", {})}, **options)


def asked(address):
    done = subprocess.run([*PYTHON, CALLS, "ask", address], capture_output=True, timeout=100,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_calls_of_every_kind(lb, grpc_servers):
    proxy = lb(grpc_config(*grpc_servers.values(), pool={"health_check": {"type": "tcp"}}))
    told = asked(proxy.address)
    # Each call of one connection is placed by itself.
    assert told["servers"] == {"one": 50, "two": 50}
    assert (told["counted"], told["added"], told["echoed"]) == (2000, sum(range(2000)), 100)
    assert told["late"] == "DEADLINE_EXCEEDED"
    assert told["refused"] == ["NOT_FOUND", "no such thing: \u00e4"]
    assert told["once"] == "again"


def test_servers_that_are_gone_are_unavailable(lb, tmp_path):
    log = tmp_path / "access.log"
    proxy = lb(grpc_config(f"127.0.0.1:{free_port()}", listener={"access_log": {"output": str(log)}}))
    script = ("import grpc, sys\n"
              "with grpc.insecure_channel(sys.argv[1]) as channel:\n"
              "    try: channel.unary_unary('/a/b')(b'', timeout=10)\n"
              "    except grpc.RpcError as error: print(error.code().name)\n")
    done = subprocess.run([*PYTHON, "-c", script, proxy.address], capture_output=True, timeout=100,
                          text=True, check=False)
    assert done.stdout == "UNAVAILABLE\n", done.stderr
    line = wait_until(lambda: log.read_text().splitlines(), "a line of the call")[0]
    assert json.loads(line)["status"] == 503
