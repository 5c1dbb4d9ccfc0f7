# SPDX-License-Identifier: MIT
"""examples/register-server.sh: a server that adds itself at its start and leaves at its stop."""

import os
import signal
import ssl
import subprocess
import sys

import pytest
from lbtest import Admin, free_port, names_itself, tcp_config, wait_until
from lbtest.process import ROOT

TOKEN = "correct-horse-battery"
SERVER = """
import socketserver, sys
class Names(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"new\\n")
        self.request.recv(1)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Names).serve_forever()
"""


@pytest.fixture
def registered():
    """registered(admin, port): the script, running a server at this port."""
    running = []

    def start(admin, port, token=TOKEN, **env):
        command = ["setpriv", "--pdeathsig", "KILL", str(ROOT / "examples/register-server.sh"), "back", "new",
                   "127.0.0.1", str(port), sys.executable, "-c", SERVER, str(port)]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, env={
            **os.environ, "LB_ADMIN": f"http://{admin.address}", "LB_ADMIN_TOKEN": token, **env}))
        return running[-1]

    yield start
    for script in running:
        if script.poll() is None:
            os.killpg(script.pid, signal.SIGKILL)
        script.wait()
        script.stderr.close()


def names(admin):
    return {each["name"]: each["status"] for each in admin.get("/api/servers").data}


def test_a_server_adds_itself_and_leaves_without_losing_anybody(lb, server, registered):
    admin = Admin(f"127.0.0.1:{free_port()}", TOKEN)
    proxy = lb(tcp_config({"name": "old", "address": server(names_itself("old"))}, admin={
        "address": admin.address, "token": TOKEN}, pool={"health_check": {"interval": "200ms", "fast_interval": "50ms"}}))
    script = registered(admin, free_port())
    wait_until(lambda: names(admin).get("new") == "healthy", "the new server is healthy")
    clients = []

    def hears_both():
        for client in clients:
            client.close()
        clients[:] = [proxy.connect() for _ in range(4)]
        return {client.receive_line() for client in clients} == {b"old\n", b"new\n"}

    wait_until(hears_both, "every worker knows the new server")
    script.terminate()
    wait_until(lambda: names(admin).get("new") in ("draining", None), "the new server drains")

    def hears_the_old_one():
        with proxy.connect() as client:
            return client.receive_line() == b"old\n"

    wait_until(lambda: all(hears_the_old_one() for _ in range(4)), "every worker knows that it drains")
    for client in clients:  # those at the leaving server may finish
        client.send(b".").close()
    assert script.wait(60) == 0
    assert names(admin) == {"old": "healthy"}


def test_a_server_on_another_machine_speaks_tls_and_verifies(lb, server, registered, authority):
    port = free_port()
    certificate = authority.issue("admin", "localhost", "127.0.0.1")
    context = ssl.create_default_context(cafile=authority.ca)
    admin = Admin(f"127.0.0.1:{port}", TOKEN, tls=context)
    lb(tcp_config({"name": "old", "address": server(names_itself("old"))}, admin={
        "address": f"0.0.0.0:{port}", "token": TOKEN, "tls": dict(certificate)}))
    there = {"LB_ADMIN": f"https://localhost:{port}"}
    stranger = registered(admin, free_port(), **there)
    assert stranger.wait(60) == 1 and "certificate" in stranger.stderr.read()
    script = registered(admin, free_port(), **there, LB_ADMIN_CA=str(authority.ca))
    wait_until(lambda: names(admin).get("new") == "healthy", "the new server is there")
    script.terminate()
    assert script.wait(60) == 0
    assert names(admin) == {"old": "healthy"}


def test_who_may_not_is_told_and_nothing_is_left_behind(lb, server, registered):
    admin = Admin(f"127.0.0.1:{free_port()}", TOKEN)
    lb(tcp_config({"name": "old", "address": server(names_itself("old"))},
                  admin={"address": admin.address, "token": TOKEN}))
    script = registered(admin, free_port(), token="wrong-horse-battery")
    assert script.wait(60) == 1
    assert "lb did not take back/new" in script.stderr.read()
    assert names(admin) == {"old": "healthy"}
