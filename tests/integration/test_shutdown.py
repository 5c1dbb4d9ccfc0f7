# SPDX-License-Identifier: MIT
"""SIGTERM, a second SIGTERM, SIGUSR1, and what is told to systemd."""

import json
import signal
import time

import pytest
from lbtest import echo, refuses, tcp_config, wait_until


@pytest.mark.timing
def test_an_idle_lb_is_ready_and_ends_at_once(lb, server):
    began = time.monotonic()
    proxy = lb(tcp_config(server(echo)))
    assert time.monotonic() - began < 2
    began = time.monotonic()
    proxy.terminate()
    assert proxy.wait_end() == 0
    assert time.monotonic() - began < 2


@pytest.mark.fast
def test_what_is_open_may_finish(lb, server):
    proxy = lb(tcp_config(server(echo)))
    client = proxy.connect()
    assert client.asks(b"hello") == b"hello"
    proxy.terminate()
    proxy.wait_notice("STOPPING=1")
    assert client.asks(b"still here") == b"still here"
    wait_until(lambda: refuses(proxy.address), "new clients are refused")
    client.finish()
    client.expect_eof()
    assert proxy.wait_end() == 0


@pytest.mark.fast
def test_draining_ends_after_drain_timeout(lb, server):
    proxy = lb(tcp_config(server(echo), runtime={"drain_timeout": "300ms"}))
    client = proxy.connect()
    assert client.asks(b"hello") == b"hello"
    began = time.monotonic()
    proxy.terminate()
    assert proxy.wait_end() == 0
    assert 0.25 < time.monotonic() - began < 15
    assert client.ends()


@pytest.mark.fast
def test_a_second_sigterm_quits_at_once(lb, server):
    proxy = lb(tcp_config(server(echo), runtime={"drain_timeout": "1h"}))
    client = proxy.connect()
    assert client.asks(b"hello") == b"hello"
    proxy.terminate()
    proxy.wait_notice("STOPPING=1")
    assert client.asks(b"still here") == b"still here"
    proxy.terminate()
    assert proxy.wait_end() == 0
    assert client.ends()


@pytest.mark.fast
def test_sigint_drains_too(lb, server):
    proxy = lb(tcp_config(server(echo)))
    proxy.signal(signal.SIGINT)
    assert proxy.wait_end() == 0


@pytest.mark.fast
def test_sigusr1_opens_the_log_anew(lb, server, tmp_path):
    log = tmp_path / "lb.log"
    one = server(echo)
    config = tcp_config(one, log={"output": str(log), "level": "debug"})
    proxy = lb(config)
    wait_until(log.exists, "the log")
    log.rename(tmp_path / "lb.log.1")
    proxy.signal(signal.SIGUSR1)
    wait_until(log.exists, "the log, anew")
    proxy.reload("listeners: [")
    wait_until(lambda: "lb.yaml:1" in log.read_text(), "a line in the new log")
    assert proxy.connect().asks(b"hello") == b"hello"


@pytest.mark.fast
def test_a_reload_says_when_it_began_and_when_it_is_done(lb, server):
    config = tcp_config(server(echo))
    proxy = lb(config)
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    proxy.reload(config)
    message = proxy.wait_notice("RELOADING=1")
    fields = dict(line.split("=", 1) for line in message.splitlines())
    assert before_us <= int(fields["MONOTONIC_USEC"])


@pytest.mark.fast
def test_json_logs_are_json(lb, server):
    config = tcp_config(server(echo), log={"format": "json", "level": "debug"})
    proxy = lb(config)
    with proxy.connect() as client:
        assert client.asks(b"hello") == b"hello"
    proxy.terminate()
    assert proxy.wait_end() == 0
    assert proxy.log()
    for line in proxy.log().splitlines():
        assert {"level", "message"} <= set(json.loads(line))
