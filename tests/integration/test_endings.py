# SPDX-License-Identifier: MIT
"""How connections end: in order on each side, or by a reset that overtakes nothing."""

import array
import fcntl
import termios

import pytest
from lbtest import in_background, send_bulk, tcp_config, wait_until

MIB = 1 << 20


@pytest.fixture
def dialogue(lb, server):
    """dialogue(): (client, server's end) of a new connection through lb."""
    one = server()
    proxy = lb(tcp_config(one, runtime={"drain_timeout": "1s"}))

    def begin():
        client = proxy.connect()
        return client, one.accept()

    begin.descriptors = proxy.fd_count
    begin.idle = proxy.fd_count()
    return begin


def ends_of(dialogue, order):
    """(this end, that end): the client and the server, or the other way round."""
    client, there = dialogue()
    return (client, there) if order == "client" else (there, client)


both_orders = pytest.mark.parametrize("this", ["client", "server"])


@pytest.mark.fast
@both_orders
def test_one_side_finishes_and_then_the_other(dialogue, this):
    one, other = ends_of(dialogue, this)
    one.send(b"a question").finish()
    assert other.receive_all() == b"a question"
    other.send(b"an answer")
    assert one.receive(9) == b"an answer"
    other.finish()
    one.expect_eof()
    wait_until(lambda: dialogue.descriptors() <= dialogue.idle, "lb has closed both")


@pytest.mark.fast
@both_orders
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_what_was_said_before_a_reset_arrives(dialogue, this, size):
    one, other = ends_of(dialogue, this)
    one.send(b"x")
    assert other.receive(1) == b"x"
    one.send(b"y" * size)
    wait_until(lambda: unread(other) == size, "it has passed lb")
    one.reset()
    assert other.receive(size) == b"y" * size
    other.expect_reset()


@pytest.mark.fast
@both_orders
def test_a_reset_right_behind_the_last_word_overtakes_nothing(dialogue, this):
    for _ in range(20):
        one, other = ends_of(dialogue, this)
        other.send(b"x")
        assert one.receive(1) == b"x"
        one.send(b"the last word")
        one.reset()
        assert other.receive(13) == b"the last word"
        other.expect_reset()


@pytest.mark.fast
@both_orders
def test_a_reset_reaches_one_who_does_not_read(dialogue, this):
    one, other = ends_of(dialogue, this)
    sender = in_background(send_bulk, one, 64 * MIB)
    wait_until(lambda: unread(other) > 100_000, "the other side is stuffed")
    other.reset()
    with pytest.raises(ConnectionError):
        sender.result()


@pytest.mark.fast
@both_orders
def test_one_that_closes_with_something_unread_resets(dialogue, this):
    one, other = ends_of(dialogue, this)
    other.send(b"never read")
    wait_until(lambda: unread(one) == 10, "it is there")
    one.close()
    other.expect_reset()


@pytest.mark.fast
@both_orders
def test_a_half_closed_side_may_still_be_reset(dialogue, this):
    one, other = ends_of(dialogue, this)
    one.finish()
    other.expect_eof()
    one.reset()
    with pytest.raises(ConnectionError):
        while True:
            other.send(b"x" * 1000)


@pytest.mark.fast
def test_both_may_be_silent_for_as_long_as_they_like(dialogue):
    client, there = dialogue()
    client.expect_nothing(for_s=3)  # longer than the connect timeout
    there.expect_nothing(for_s=0.1)
    assert there.send(b"hello") and client.receive(5) == b"hello"
    assert client.send(b"hello") and there.receive(5) == b"hello"


def unread(connection):
    """How many bytes wait to be received."""
    count = array.array("i", [0])
    fcntl.ioctl(connection.socket, termios.FIONREAD, count)
    return count[0]
