# SPDX-License-Identifier: MIT
"""A gigabyte each way, readers that are slow, and what those who do not read at all cost."""

import fcntl
import hashlib
import os
import pathlib
import re
import struct
import termios
import time

import pytest
from lbtest import in_background, receive_bulk, send_bulk, tcp_config
from lbtest.connection import TIMEOUT_S

MIB = 1 << 20
STALLED = 50


@pytest.fixture
def dialogue(lb, server):
    """dialogue(): (client, server's end) of a new connection through lb."""
    one = server()
    proxy = lb(tcp_config(one, runtime={"workers": 2, "drain_timeout": "1s"}))

    def begin():
        client = proxy.connect()
        return client, one.accept()

    begin.proxy = proxy
    return begin


@pytest.mark.seconds(300)
def test_a_gigabyte_each_way_at_once_arrives_as_it_was_sent(dialogue):
    client, there = dialogue()
    size = 1024 * MIB
    running = [in_background(work, end, size) for end in (client, there)
               for work in (send_bulk, receive_bulk)]
    sent_up, received_down, sent_down, received_up = (one.result(250) for one in running)
    assert received_up == sent_up
    assert received_down == sent_down


def receive_slowly(connection, size, bytes_per_s):
    """receive_bulk() by one who takes a little at a time."""
    digest = hashlib.sha256()
    began = time.monotonic()
    got = 0
    while got < size:
        time.sleep(max(0.0, began + got / bytes_per_s - time.monotonic()))
        piece = connection.socket.recv(min(size - got, 50_000))
        assert piece, f"the peer finished {size - got} bytes early"
        digest.update(piece)
        got += len(piece)
    return digest.hexdigest()


@pytest.mark.fast
@pytest.mark.timing
def test_slow_readers_get_everything_and_hold_nobody_up(dialogue):
    slow = [dialogue() for _ in range(4)]
    running = []
    for number, (client, there) in enumerate(slow):
        writes, reads = (client, there) if number % 2 else (there, client)
        running.append((in_background(send_bulk, writes, 20 * MIB),
                        in_background(receive_slowly, reads, 20 * MIB, 8 * MIB)))
    client, there = dialogue()
    took_s = []
    for _ in range(100):
        began = time.monotonic()
        client.send(b"hello")
        assert there.receive(5) == b"hello"
        took_s.append(time.monotonic() - began)
    # A few may meet a moment in which the machine does something else.
    assert sorted(took_s)[94] < 0.5 and max(took_s) < 5.0, sorted(took_s)[90:]
    for sent, received in running:
        assert received.result() == sent.result()


def kernel_buffers_kib(proxy):
    """What waits in lb's pipes; its memory does not show it."""
    waiting = 0
    for fd in pathlib.Path(f"/proc/{proxy.process.pid}/fd").iterdir():
        try:
            if os.readlink(fd).startswith("pipe:") and "w" not in mode(proxy, fd.name):
                pipe = os.open(fd, os.O_RDONLY | os.O_NONBLOCK)
                waiting += struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"1234"))[0]
                os.close(pipe)
        except FileNotFoundError:
            pass  # closed meanwhile
    return waiting // 1024


def mode(proxy, fd):
    """How a descriptor was opened: "r" or "w"."""
    info = pathlib.Path(f"/proc/{proxy.process.pid}/fdinfo/{fd}").read_text()
    return "w" if int(re.search(r"flags:\s+(\d+)", info)[1], 8) & os.O_WRONLY else "r"


def pss_kib(proxy):
    text = pathlib.Path(f"/proc/{proxy.process.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)[1])


def send_until_stuck(connection):
    """Sends until nobody has taken anything for two seconds; returns how much."""
    connection.socket.setblocking(False)
    sent, last = 0, time.monotonic()
    while time.monotonic() - last < 2.0:
        try:
            sent += connection.socket.send(bytes(MIB))
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    connection.socket.settimeout(TIMEOUT_S)
    return sent


@pytest.mark.parametrize("stalled", ["client", "server"])
def test_those_who_do_not_read_cost_less_than_a_mebibyte_each(dialogue, stalled):
    pairs = [dialogue() for _ in range(STALLED)]
    proxy = dialogue.proxy
    before_kib = pss_kib(proxy) + kernel_buffers_kib(proxy)
    writers = [there if stalled == "client" else client for client, there in pairs]
    readers = [client if stalled == "client" else there for client, there in pairs]
    sent = [one.result() for one in [in_background(send_until_stuck, w) for w in writers]]
    grown_kib = pss_kib(proxy) + kernel_buffers_kib(proxy) - before_kib
    assert min(sent) > MIB, "all are stuck"
    assert grown_kib < STALLED * 1024, f"{grown_kib} KiB"
    proxy.expect_rest()
    # All of it is still there, in order.
    for reader, size in zip(readers, sent):
        left = size
        while left:
            left -= len(reader.socket.recv(min(left, MIB)))
