# SPDX-License-Identifier: MIT
"""What passes between a client and its server, and how a connection ends."""

import socket

import pytest
from lbtest import (echo, in_background, names_itself, receive_bulk, reset_after, send_bulk, sink,
                    source, tcp_config, wait_until)

MIB = 1 << 20


@pytest.mark.fast
def test_what_a_client_says_comes_back(lb, server):
    client = lb(tcp_config(server(echo))).connect()
    assert client.asks(b"hello") == b"hello"
    assert client.asks(b"again") == b"again"


@pytest.mark.fast
def test_a_server_may_speak_first(lb, server):
    client = lb(tcp_config(server(names_itself("one")))).connect()
    assert client.receive_line() == b"one\n"
    assert client.asks(b"hello") == b"hello"


@pytest.mark.fast
def test_a_client_that_has_finished_still_hears_the_server(lb, server):
    one = server()
    client = lb(tcp_config(one)).connect().send(b"my last word").finish()
    there = one.accept()
    assert there.receive_all() == b"my last word"
    there.send(b"but not mine")
    assert client.receive(12) == b"but not mine"
    there.close()
    client.expect_eof()


@pytest.mark.fast
def test_a_server_that_has_finished_still_hears_the_client(lb, server):
    one = server()
    client = lb(tcp_config(one)).connect()
    there = one.accept()
    there.send(b"my last word").finish()
    assert client.receive_all() == b"my last word"
    client.send(b"but not mine")
    assert there.receive(12) == b"but not mine"
    client.close()
    there.expect_eof()


@pytest.mark.fast
def test_a_client_that_says_nothing_and_finishes_is_answered(lb, server):
    client = lb(tcp_config(server(source(b"the time is ten\n")))).connect().finish()
    assert client.receive_all() == b"the time is ten\n"


@pytest.mark.fast
def test_a_reset_by_the_client_reaches_the_server_as_a_reset(lb, server):
    one = server()
    client = lb(tcp_config(one)).connect()
    there = one.accept()
    assert there.send(b"x") and client.receive(1) == b"x"
    client.reset()
    there.expect_reset()


@pytest.mark.fast
def test_a_reset_by_the_server_reaches_the_client_as_a_reset(lb, server):
    client = lb(tcp_config(server(reset_after(5)))).connect().send(b"12345")
    client.expect_reset()


@pytest.mark.fast
def test_a_reset_after_one_side_has_finished_is_still_a_reset(lb, server):
    one = server()
    client = lb(tcp_config(one)).connect().finish()
    there = one.accept()
    there.expect_eof()
    there.reset()
    client.expect_reset()


@pytest.mark.fast
@pytest.mark.parametrize("size", [1, 1447, 4096, 65535, 65536, 65537, MIB + 1])
def test_no_size_of_message_is_special(lb, server, size):
    client = lb(tcp_config(server(echo))).connect()
    sent = in_background(send_bulk, client, size)
    assert receive_bulk(client, size) == sent.result()


@pytest.mark.fast
def test_both_directions_are_full_at_once(lb, server):
    one = server()
    client = lb(tcp_config(one)).connect()
    there = one.accept()
    up = in_background(send_bulk, client, 16 * MIB)
    down = in_background(send_bulk, there, 24 * MIB)
    arrived_up = in_background(receive_bulk, there, 16 * MIB)
    assert receive_bulk(client, 24 * MIB) == down.result()
    assert arrived_up.result() == up.result()


def test_a_gigabyte_arrives_as_it_was_sent(lb, server):
    one = server()
    client = lb(tcp_config(one)).connect()
    there = one.accept()
    sent = in_background(send_bulk, there, 1024 * MIB)
    assert receive_bulk(client, 1024 * MIB) == sent.result()


@pytest.mark.fast
def test_what_was_sent_before_the_end_arrives_before_the_end(lb, server):
    one = server()
    client = lb(tcp_config(one)).connect()
    there = one.accept()
    for _ in range(3):
        there.send(b"x" * MIB)
    there.close()
    assert len(client.receive_all()) == 3 * MIB


def test_a_reader_that_stands_still_costs_little_memory(lb, server):
    one = server()
    proxy = lb(tcp_config(one))
    clients = [proxy.connect() for _ in range(20)]
    before_kib = proxy.rss_kib()
    senders = []
    for _ in clients:
        senders.append(in_background(send_bulk, one.accept(), 32 * MIB))
    for client in clients:
        assert client.socket.recv(1, socket.MSG_PEEK)
    grown_kib = proxy.rss_kib() - before_kib
    digests = [in_background(receive_bulk, client, 32 * MIB) for client in clients]
    assert {d.result() for d in digests} == {s.result() for s in senders}
    assert grown_kib < 20 * 1024, "more than 1 MiB for each connection"


@pytest.mark.fast
def test_many_connections_keep_to_themselves(lb, server):
    proxy = lb(tcp_config(server(echo), server(echo)))
    clients = [proxy.connect() for _ in range(200)]
    for number, client in enumerate(clients):
        client.send(b"%06d" % number)
    for number, client in enumerate(clients):
        assert client.receive(6) == b"%06d" % number


@pytest.mark.fast
def test_closed_connections_give_everything_back(lb, server):
    proxy = lb(tcp_config(server(echo), server(sink)))
    for _ in range(2):  # the first turn may leave caches behind
        before = proxy.fd_count()
        clients = [proxy.connect() for _ in range(50)]
        assert clients[0].send(b"x")
        for number, client in enumerate(clients):
            client.reset() if number % 2 else client.close()
    wait_until(lambda: proxy.fd_count() <= before, f"back to {before} descriptors")
