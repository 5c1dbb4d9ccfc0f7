# SPDX-License-Identifier: MIT
"""What lb does when descriptors or ports run out, and what it keeps once thousands of clients have left."""

import re
import resource
import select
import signal
import socket
import subprocess
import time

import pytest
from lbtest import echo, free_port, tcp_config, wait_until
from lbtest.connection import is_ready

RUNTIME = {"workers": 2, "drain_timeout": "1s"}


def limit_descriptors(proxy, count):
    resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (count, 20_000))


def settled(figure, for_s=1.0):
    """What it is once it has not changed for a while."""
    last, since = figure(), time.monotonic()
    while time.monotonic() - since < for_s:
        time.sleep(0.05)
        if (now := figure()) != last:
            last, since = now, time.monotonic()
    return last


def answered(clients):
    """Which of the clients have got their greeting, and which were reset."""
    heard, were_reset = set(), set()
    for client in clients:
        if client.was_reset:  # already when it connected
            were_reset.add(client)
            continue
        client.socket.setblocking(False)
        try:
            if client.was_reset:
                raise ConnectionResetError
            assert client.socket.recv(1) == b"!"
            heard.add(client)
        except BlockingIOError:
            pass
        except ConnectionResetError:
            were_reset.add(client)
        client.socket.settimeout(10)
    return heard, were_reset


def all_have_their_turn(waiting):
    """Each gets its greeting, and goes, so that others have theirs. Nobody is reset."""
    while waiting:
        heard, were_reset = answered(waiting)
        assert not were_reset
        for client in heard:
            assert client.asks(b"hello") == b"hello"
            client.close()
        waiting -= heard


# Not under sanitizers, which themselves need some.
@pytest.mark.parametrize("limit", [7, 16, 95])
def test_too_few_to_start_are_told_with_what_to_do(lb, limit):
    proxy = lb(tcp_config("127.0.0.1:9", runtime=RUNTIME), ready=False,
               inside=("prlimit", f"--nofile={limit}:{limit}"))
    proxy.exit_code = 1
    assert proxy.wait_end() == 1
    assert re.search(rf"may open {limit} descriptors, and 2 workers need 96 .* \(ulimit -n", proxy.log())


@pytest.mark.fast
def test_more_clients_than_descriptors_wait_for_their_turn(lb, swarm):
    one = swarm("!")
    proxy = lb(tcp_config(one, runtime=RUNTIME), inside=("prlimit", "--nofile=200:200"))
    proxy.wait_log(r"max_connections lowered from 100000 to \d+")
    first = proxy.connect()
    assert first.receive(1) == b"!"
    flood = [proxy.connect() for _ in range(200)]
    wait_until(lambda: one.open() > 20, "many are served")
    served = settled(one.open)
    assert 20 < served < 100
    proxy.expect_rest()
    assert first.asks(b"still here") == b"still here"
    all_have_their_turn(set(flood))
    assert first.asks(b"still here") == b"still here"
    assert one.peak() == served, "never more than at first"
    assert "cannot accept" not in proxy.log(), "the limit was planned well"


# Not under sanitizers, which themselves need a descriptor now and then.
@pytest.mark.parametrize("spare", [-10, 0, 1, 2, 3, 10])
def test_descriptors_that_run_out_harm_nobody_who_is_served(lb, swarm, spare):
    one = swarm("!")
    proxy = lb(tcp_config(one, runtime=RUNTIME))
    served = [proxy.connect() for _ in range(20)]
    for client in served:
        assert client.receive(1) == b"!"
    limit_descriptors(proxy, proxy.fd_count() + spare)  # which may count one that is just closing
    late = {proxy.connect() for _ in range(50)}
    proxy.expect_rest()
    assert one.open() <= 20 + max(spare + 1, 0) // 2
    heard, were_reset = answered(late)
    assert not were_reset, "who has a descriptor waits for another"
    for client in served:
        assert client.asks(b"still here") == b"still here"
        client.close()
    late -= set.union(heard, *answered(late))
    if spare >= 0 and late:
        wait_until(lambda: any(answered(late)), "those who left make room")
    limit_descriptors(proxy, 20_000)
    assert proxy.connect().receive(1) == b"!"


def test_clients_wait_for_a_local_port_that_somebody_gives_back(lb, server, namespace):
    machine = namespace()
    subprocess.run([*machine.inside, "sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40009"],
                   check=True)
    one = machine.call(server, echo, "127.0.0.1:7000")
    proxy = lb(tcp_config(one, address="127.0.0.1:7001", runtime=RUNTIME), inside=machine.inside)
    clients = [machine.call(proxy.connect, None, f"127.0.0.{number}:20000").send(b"!")
               for number in range(2, 16)]

    def ready():
        return {client for client in clients if is_ready(client.socket, select.POLLIN, 0)}

    wait_until(lambda: len(ready()) == 10, "ten are served")
    time.sleep(0.3)
    served = ready()
    assert len(served) == 10
    for client in served:
        client.reset()
    for client in set(clients) - served:
        assert client.receive(1) == b"!"


def test_checks_that_cannot_be_made_change_no_state(lb, server):
    check = {"interval": "50ms", "fast_interval": "50ms", "fall": 1}
    proxy = lb(tcp_config(server(echo), pool={"health_check": check, "on_down": "close"},
                          runtime=RUNTIME))
    proxy.wait_log("is healthy")
    client = proxy.connect()
    assert client.asks(b"hello") == b"hello"
    limit_descriptors(proxy, 5)
    proxy.expect_rest()
    assert client.asks(b"still here") == b"still here"
    limit_descriptors(proxy, 20_000)
    assert proxy.connect().asks(b"hello") == b"hello"
    assert "unhealthy" not in proxy.log()


# Not under sanitizers, which themselves need a descriptor now and then.
def test_clients_leave_control_what_it_needs(lb, server, admin, directory):
    one = server(lambda connection: echo(connection.send(b"!")))
    late, log = f"127.0.0.1:{free_port()}", directory / "access.log"
    config = tcp_config(one, {"address": late, "backup": True}, runtime=RUNTIME,
                        admin={"address": admin.address},
                        listener={"access_log": {"output": str(log)}},
                        pool={"timeouts": {"connect": "60s"}, "health_check": {
                            "interval": "200ms", "fast_interval": "200ms", "rise": 1}})
    # What it was born with, nobody has planned.
    born_with = 'for n in {50..249}; do eval "exec $n</dev/null"; done; exec "$@"'
    proxy = lb(config, inside=("prlimit", "--nofile=300:300", "bash", "-c", born_with, "bash"))
    waiting = {proxy.connect() for _ in range(60)}
    proxy.wait_log("cannot accept connections: Too many open files")
    proxy.expect_rest()
    assert proxy.fd_count() < 300 - 20
    for _ in range(20):
        assert admin.get("/api/health").status == 200
    server(echo, late)
    proxy.wait_log(f"server back/{late} is healthy")
    log.rename(directory / "access.log.1")
    proxy.signal(signal.SIGUSR1)
    wait_until(log.exists, "the access log is opened anew")
    all_have_their_turn(waiting)
    assert proxy.connect().receive(1) == b"!"


THOUSANDS = 5000


def come_and_go(proxy, one):
    """Thousands of clients at once, each with a byte to exchange; all leave again."""
    clients = []
    try:
        for _ in range(THOUSANDS):
            clients.append(socket.create_connection(proxy.target, 10))
        for client in clients:
            client.send(b"x")
        for client in clients:
            assert client.recv(10) == b"x"
        assert one.open() == THOUSANDS
        assert proxy.fd_count() > 2 * THOUSANDS
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: one.open() == 0, "all have left")


def test_thousands_of_clients_leave_nothing_behind(lb, swarm):
    one = swarm()
    proxy = lb(tcp_config(one, runtime=RUNTIME))
    host, _, port = proxy.address.rpartition(":")
    proxy.target = host, int(port)
    descriptors, at_start_kib = proxy.fd_count(), proxy.rss_kib()
    after_kib = []
    for _ in range(4):
        come_and_go(proxy, one)
        wait_until(lambda: proxy.fd_count() <= descriptors, f"back to {descriptors} descriptors")
        after_kib.append(proxy.rss_kib())
    # At most what libevent keeps for each descriptor that it has seen.
    assert after_kib[0] < at_start_kib + 2048, (at_start_kib, after_kib)
    assert after_kib[3] < after_kib[1] + 512, (at_start_kib, after_kib)
