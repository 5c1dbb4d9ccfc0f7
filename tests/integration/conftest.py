# SPDX-License-Identifier: MIT
"""The fixtures: each hands out as many as a test asks for and ends them after it: first what is still
said, so that lb has nothing to drain, then lb, then the servers."""

import os
import pathlib
import shutil
import signal
import tempfile

import pytest
from lbtest import (BINARY, Admin, Authority, FakeServer, LbProcess, Namespace, PostgresServer, RedisServer,
                    tries)
from lbtest.datagrams import UdpClient, UdpServer
from lbtest.fake import DeafServer
from lbtest.namespace import can_have_namespaces
from lbtest.swarm import EchoSwarm

LONGEST_S = 180


def pytest_configure(config):
    config.pluginmanager.register(tries)


def pytest_sessionstart():
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"there is no {BINARY}: run scripts/build", 2)


# No test runs for ever: an alarm ends whatever it waits for.
def _bounded(item):
    def too_late(*_):
        pytest.fail(f"the test took longer than {seconds} s")

    marker = item.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else LONGEST_S
    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    yield from _bounded(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    yield from _bounded(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield from _bounded(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows the log of each lb that it ran."""
    report = (yield).get_result()
    if report.failed:
        for process in getattr(item, "lb_processes", []):
            log = process.log() if process.log_file.exists() else process.last_log
            report.sections.append((f"log of lb {process.process.pid}", log))


def _end_all(things, end):
    """Ends each, the last made first; one that ends badly keeps none of the others."""
    problems = []
    for thing in reversed(things):
        try:
            end(thing)
        except BaseException as problem:
            problems.append(problem)
    if problems:
        raise problems[0]


def _hand_out(make, end):
    """A fixture's value that makes things on demand, all of which end after the test."""
    made = []

    def one_more(*arguments, **options):
        made.append(make(*arguments, **options))
        return made[-1]

    yield one_more
    _end_all(made, end)


@pytest.fixture
def directory():
    # Not pytest's tmp_path: the name of a unix socket has at most 107 bytes.
    path = pathlib.Path(tempfile.mkdtemp(prefix="lbtest-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def admin(directory):
    """An admin address on a unix socket."""
    return Admin(f"unix:{directory}/admin.sock")


@pytest.fixture
def namespace():
    """namespace(): a network namespace."""

    def make():
        if not can_have_namespaces():
            pytest.skip("network namespaces need root and a container that allows them")
        return Namespace()

    yield from _hand_out(make, Namespace.close)


@pytest.fixture
def _servers():
    """What server() made."""
    return []


@pytest.fixture
def server(namespace, _servers):
    """server(behaviour): a FakeServer; without a behaviour the test plays it."""

    def start(*arguments, **options):
        _servers.append(FakeServer(*arguments, **options))
        return _servers[-1]

    def end(fake):
        fake.stop()
        assert not fake.errors, fake.errors

    yield start
    _end_all(_servers, end)


@pytest.fixture
def deaf_server():
    """deaf_server(): a server to which no connect ever finishes."""
    yield from _hand_out(DeafServer, DeafServer.stop)


@pytest.fixture
def lb(request, server, deaf_server, _servers):
    """lb(config): lb running with that configuration, ready. ready=False: not waited for."""
    processes = request.node.lb_processes = []

    def start(config, ready=True, **options):
        process = LbProcess(config, **options)
        processes.append(process)
        return process.wait_ready() if ready else process

    yield start
    for process in processes:
        process.hang_up()
    for fake in _servers:
        fake.hang_up()
    _end_all(processes, lambda process: process.close(in_haste=request.node.call_failed))


@pytest.fixture
def udp_server():
    """udp_server(answer): a server that answers datagrams."""
    yield from _hand_out(UdpServer, UdpServer.stop)


@pytest.fixture
def udp_client():
    """udp_client(address): a client with a port of its own."""
    yield from _hand_out(UdpClient, UdpClient.close)


@pytest.fixture
def swarm():
    """swarm(): a server in a process of its own, for any number of connections."""
    yield from _hand_out(EchoSwarm, EchoSwarm.end)


@pytest.fixture(scope="session")
def authority():
    """A certificate authority that all tests share."""
    made = Authority()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL that all tests share."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis():
    """A Redis that all tests share."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def socket_path(tmp_path_factory):
    """A name for a unix socket that is short enough to be one."""
    return tmp_path_factory.mktemp("s") / "lb.sock"
