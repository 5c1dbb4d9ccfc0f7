# SPDX-License-Identifier: MIT
"""The admin address over TLS, also where it is not on loopback."""

import socket
import ssl

import pytest
from lbtest import Admin, connect, free_port, names_itself, run_lb, tcp_config, wait_until

TOKEN = "correct-horse-battery"


@pytest.fixture
def certificate(authority):
    return authority.issue("admin", "localhost", "127.0.0.1")


def config_of(server, certificate, address, **more):
    return tcp_config({"name": "a", "address": server(names_itself("a"))},
                      admin={"address": address, "token": TOKEN, "tls": dict(certificate), **more})


@pytest.mark.fast
def test_it_speaks_tls_and_nothing_else(lb, server, authority, certificate):
    address = f"127.0.0.1:{free_port()}"
    lb(config_of(server, certificate, address))
    context = ssl.create_default_context(cafile=authority.ca)
    admin = Admin(address, TOKEN, tls=context)
    assert admin.get("/api/health").json["status"] == "healthy"
    assert admin.set_state("a", "drain").data["status"] == "draining"
    in_clear = Admin(address, TOKEN).get("/api/servers")
    assert in_clear.status == 400 and "https://" in in_clear.error
    own = {"Origin": f"https://{address}"}
    assert admin.get("/api/servers", headers=own).status == 200


@pytest.mark.fast
def test_commands_speak_it_and_verify(lb, server, authority, certificate):
    address = f"127.0.0.1:{free_port()}"
    lb(config_of(server, certificate, address))
    env = {"LB_ADMIN": f"https://{address}", "LB_ADMIN_TOKEN": TOKEN}
    done = run_lb("servers", "--ca", authority.ca, env=env)
    assert done.returncode == 0 and "back" in done.stdout, done.stderr
    done = run_lb("drain", "back/a", env={**env, "LB_ADMIN_CA": authority.ca})
    assert (done.returncode, done.stdout) == (0, "back/a is draining; 0 open\n"), done.stderr
    done = run_lb("servers", env=env)
    assert done.returncode == 1 and "certificate" in done.stderr
    done = run_lb("servers", env={**env, "LB_ADMIN": address})
    assert done.returncode == 1 and "https://" in done.stderr


@pytest.mark.fast
def test_off_loopback_everything_but_health_needs_the_token(lb, server, authority, certificate):
    port = free_port()
    lb(config_of(server, certificate, f"0.0.0.0:{port}"))
    context = ssl.create_default_context(cafile=authority.ca)
    nobody = Admin(f"127.0.0.1:{port}", tls=context)
    assert nobody.get("/api/health").status == 200
    for path in ("/api/servers", "/api/config", "/metrics", "/api/events"):
        reply = nobody.get(path)
        assert reply.status == 401 and reply.headers["WWW-Authenticate"] == "Bearer"
    somebody = Admin(f"127.0.0.1:{port}", TOKEN, tls=context)
    assert somebody.get("/api/servers").status == 200


@pytest.mark.fast
def test_a_reload_brings_a_new_certificate(lb, server, authority, certificate):
    address = f"127.0.0.1:{free_port()}"
    config = config_of(server, certificate, address)
    proxy = lb(config)

    def serial():
        context = ssl.create_default_context(cafile=authority.ca)
        with socket.create_connection(tuple(address.split(":"))) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                return tls.getpeercert()["serialNumber"]

    first = serial()
    authority.issue("admin", "localhost", "127.0.0.1")
    proxy.reload(config)
    wait_until(lambda: serial() != first, "the new certificate")


@pytest.mark.fast
def test_handshakes_that_stop_half_way_delay_no_probe_and_keep_nobody_out(lb, swarm, authority, certificate):
    probed = swarm()
    address = f"127.0.0.1:{free_port()}"
    lb(tcp_config({"name": "a", "address": probed.address}, pool={"health_check": {"interval": "100ms"}},
                  admin={"address": address, "token": TOKEN, "tls": dict(certificate)}))
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    hello = hello.read()
    stopped = [connect(address) for _ in range(100)]
    for number, each in enumerate(stopped):
        each.send(hello[:len(hello) // 2] if number % 2 else hello)
    probes = probed.connections()
    admin = Admin(address, TOKEN, tls=ssl.create_default_context(cafile=authority.ca))
    wait_until(lambda: probed.connections() > probes + 3, "probes go on")
    assert admin.server("a")["status"] == "healthy"
    for each in stopped:
        each.close()
