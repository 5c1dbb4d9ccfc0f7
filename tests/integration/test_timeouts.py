# SPDX-License-Identifier: MIT
"""How long lb waits, measured: never less than it was told to, and hardly more."""

import time

import pytest
from lbtest import echo, source, tcp_config

MIB = 1 << 20
LATE_S = 0.6  # what a busy machine may add
RUNTIME = {"drain_timeout": "1s"}


def with_timeouts(*servers, pool=None, proxy_protocol=None, **timeouts):
    listener = {"timeouts": timeouts}
    if proxy_protocol:
        listener["proxy_protocol"] = proxy_protocol
    return tcp_config(*servers, listener=listener, pool=pool, runtime=RUNTIME)


def expect_end_after(seconds, connection, began, how="expect_eof"):
    getattr(connection, how)()
    took_s = time.monotonic() - began
    assert seconds - 0.02 < took_s < seconds + LATE_S, f"{took_s:.2f} s instead of {seconds:g} s"


@pytest.mark.fast
@pytest.mark.timing
def test_a_silent_connection_ends_after_idle(lb, server):
    client = lb(with_timeouts(server(echo), idle="500ms")).connect()
    began = time.monotonic()
    assert client.asks(b"hello") == b"hello"
    expect_end_after(0.5, client, began)


@pytest.mark.fast
@pytest.mark.timing
def test_a_connection_on_which_nobody_ever_spoke_ends_after_idle(lb, server):
    one = server()
    proxy = lb(with_timeouts(one, idle="500ms"))
    began = time.monotonic()
    client = proxy.connect()
    there = one.accept()
    expect_end_after(0.5, client, began)
    expect_end_after(0.5, there, began)


@pytest.mark.fast
@pytest.mark.timing
@pytest.mark.parametrize("speaker", ["client", "server"])
def test_one_that_speaks_keeps_the_other_from_being_idle(lb, server, speaker):
    one = server()
    client = lb(with_timeouts(one, idle="500ms")).connect()
    there = one.accept()
    speaks, hears = (client, there) if speaker == "client" else (there, client)
    for _ in range(6):
        began = time.monotonic()
        speaks.send(b"x")
        assert hears.receive(1) == b"x"
        hears.expect_nothing(for_s=0.2)
    expect_end_after(0.5, hears, began)


@pytest.mark.fast
@pytest.mark.timing
@pytest.mark.parametrize("first", ["client", "server"])
def test_a_half_closed_connection_ends_after_half_close(lb, server, first):
    one = server()
    client = lb(with_timeouts(one, half_close="500ms")).connect()
    there = one.accept()
    finishes, stays = (client, there) if first == "client" else (there, client)
    client.send(b"x")
    assert there.receive(1) == b"x"
    began = time.monotonic()
    finishes.finish()
    stays.expect_eof()
    expect_end_after(0.5, finishes, began)


@pytest.mark.fast
@pytest.mark.timing
def test_a_half_closed_connection_stays_while_the_other_side_speaks(lb, server):
    one = server()
    client = lb(with_timeouts(one, half_close="500ms")).connect().finish()
    there = one.accept()
    there.expect_eof()
    for _ in range(6):
        began = time.monotonic()
        there.send(b"x")
        assert client.receive(1) == b"x"
        client.expect_nothing(for_s=0.2)
    expect_end_after(0.5, client, began)


@pytest.mark.fast
@pytest.mark.timing
def test_a_client_that_takes_nothing_is_reset_after_send(lb, server):
    one = server()
    client = lb(with_timeouts(one, send="500ms")).connect()
    there = one.accept()
    began = time.monotonic()
    with pytest.raises(ConnectionError):
        while True:
            there.send(b"x" * MIB)
    took_s = time.monotonic() - began
    assert 0.5 < took_s < 0.5 + 2 * LATE_S, f"{took_s:.2f} s"
    with pytest.raises(ConnectionResetError):
        client.receive_all()


@pytest.mark.fast
@pytest.mark.timing
def test_a_client_that_takes_little_is_not_reset(lb, server):
    client = lb(with_timeouts(server(source(b"x" * 40 * MIB)), send="500ms")).connect()
    began = time.monotonic()
    while time.monotonic() - began < 2:
        # More than the kernel waits for before it tells the sender that there is room again.
        assert len(client.receive(3 * MIB)) == 3 * MIB
        time.sleep(0.25)
    client.receive_all()


@pytest.mark.fast
@pytest.mark.timing
def test_a_connect_that_is_late_ends_after_connect(lb, deaf_server):
    proxy = lb(with_timeouts(deaf_server(), pool={"timeouts": {"connect": "500ms"},
                                                  "retries": {"attempts": 0}}))
    began = time.monotonic()
    expect_end_after(0.5, proxy.connect(), began, "expect_reset")


@pytest.mark.fast
@pytest.mark.timing
@pytest.mark.parametrize("said", [b"", b"PROXY TCP4 127.0.0.1"])
def test_a_header_that_is_late_ends_the_connection_after_tls_handshake(lb, server, said):
    proxy = lb(with_timeouts(server(echo), proxy_protocol={"trusted": ["127.0.0.0/8"]},
                             tls_handshake="500ms"))
    began = time.monotonic()
    client = proxy.connect()
    client.send(said)
    expect_end_after(0.5, client, began, "expect_reset")


@pytest.mark.fast
@pytest.mark.timing
@pytest.mark.parametrize("said", [b"", b"PROXY TCP4 127.0.0.1"])
def test_without_tls_handshake_a_header_is_awaited_as_long_as_idle_allows(lb, server, said):
    proxy = lb(with_timeouts(server(echo), proxy_protocol={"trusted": ["127.0.0.0/8"]},
                             tls_handshake="off", idle="500ms"))
    client = proxy.connect()
    client.expect_nothing(for_s=0.3)
    began = time.monotonic()
    client.send(said)
    expect_end_after(0.5 if said else 0.2, client, began)


@pytest.mark.fast
def test_what_is_off_does_not_end_anything(lb, server, deaf_server):
    everything_off = dict.fromkeys(("idle", "half_close", "send", "tls_handshake"), "off")
    one = server()
    proxy = lb(with_timeouts(one, proxy_protocol={"trusted": ["127.0.0.2/32"]}, **everything_off))
    quiet = proxy.connect()
    quiet_there = one.accept()
    half_closed = proxy.connect().finish()
    half_closed_there = one.accept()
    half_closed_there.expect_eof()
    greedy = proxy.connect()
    greedy_there = one.accept()
    greedy_there.socket.setblocking(False)
    sent = 0
    while some := sent_some(greedy_there):
        sent += some
    without_header = proxy.connect(source="127.0.0.2:0")
    for client in (quiet, half_closed, without_header):
        client.expect_nothing(for_s=0.7)
    for client, there in ((quiet, quiet_there), (half_closed, half_closed_there)):
        there.send(b"still here")
        assert client.receive(10) == b"still here"
    assert greedy.receive(sent) == b"x" * sent
    without_header.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello")
    assert one.accept().receive(5) == b"hello"


def sent_some(connection):
    try:
        return connection.socket.send(b"x" * MIB)
    except BlockingIOError:
        time.sleep(0.05)
        try:
            return connection.socket.send(b"x")
        except BlockingIOError:
            return 0
