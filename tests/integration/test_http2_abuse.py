# SPDX-License-Identifier: MIT
"""Clients of HTTP/2 that cost more than they are worth: each is sent away, and others on the same
worker do not notice."""

import struct

import pytest
from lbtest import http2, wait_until
from lbtest.http import http_config, response, serves
from lbtest.http2 import frame, head

BODY = b"x" * 1_000_000


def of_streams(*frames):
    """Frames for each of 20,000 streams; each is a function of the stream's number."""
    return b"".join(one(stream) for stream in range(1, 40_000, 2) for one in frames)


def again(one, before=b"", times=20_000):
    return before + one * times


def continuations(size, times):
    first = frame(http2.HEADERS, http2.END_STREAM, 1, http2.block(*http2.request_fields()))
    return again(frame(http2.CONTINUATION, 0, 1, b"x" * size), first, times)


def bombs():
    """A field of 4,000 bytes that is named once, and 8,000 times by one byte, on 200 streams."""
    fields = http2.block(*http2.request_fields())
    bomb = fields + b"\x40" + http2.text("x") + http2.text("y" * 4_000) + b"\xbe" * 8_000
    return b"".join(frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, bomb)
                    for stream in range(1, 401, 2))


def resets(stream):
    return frame(http2.RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL))


def asks(stream):
    return head(stream, path="/bad")


def makes_us_reset(stream):
    return frame(http2.WINDOW_UPDATE, 0, stream, bytes(4))


UNFINISHED = head(1, "POST", "/bad", ends=False)
FLOODS = {
    "rapid reset": lambda: of_streams(asks, resets),
    "made to reset": lambda: of_streams(asks, makes_us_reset),
    "malformed requests": lambda: of_streams(lambda stream: head(stream, fields=[("Bad", "x")])),
    "CONTINUATION": lambda: continuations(8_000, 200),
    "empty CONTINUATION": lambda: continuations(0, 20_000),
    "SETTINGS": lambda: again(frame(http2.SETTINGS, payload=http2.setting(4, 100))),
    "empty SETTINGS": lambda: again(frame(http2.SETTINGS)),
    "PING": lambda: again(frame(http2.PING, payload=b"12345678")),
    "PRIORITY": lambda: of_streams(lambda stream: frame(http2.PRIORITY, 0, stream, b"\0\0\0\0\1")),
    "empty DATA": lambda: again(frame(http2.DATA, 0, 1), UNFINISHED),
    "padding alone": lambda: again(frame(http2.DATA, 8, 1, b"\2\0\0"), UNFINISHED),
    "WINDOW_UPDATE": lambda: again(frame(http2.WINDOW_UPDATE, payload=b"\0\0\0\1")),
    "unknown frames": lambda: again(frame(0x42, payload=b"x")),
    "GOAWAY": lambda: again(frame(http2.GOAWAY, payload=bytes(8)), UNFINISHED),
    "header bombs": bombs,
}


@pytest.mark.fast
@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_ends_its_connection_and_no_other(lb, server, admin, kind):
    asked = []

    def answer(got):
        asked.append(got.start)
        return response(b"a")

    def behaviour(connection):
        try:
            serves(answer)(connection)
        except AssertionError:
            pass  # of a request that is cut

    proxy = lb(http_config(server(behaviour), runtime={"workers": 1}, admin={"address": admin.address}))
    good = http2.Client(proxy.connect())
    good.send(head())
    assert good.answer() == (200, b"a")
    bad = http2.Client(proxy.connect())
    try:
        bad.send(FLOODS[kind]())
    except OSError:
        pass  # it is closed in the midst of it
    good.send(head(3))
    assert good.answer(3) == (200, b"a")
    assert bad.goaway() in (http2.ENHANCE_YOUR_CALM, None)  # None: a reset took it away
    wait_until(lambda: admin.ended() == {"broke the rules of HTTP/2": 1}, "its end, for that reason alone")
    good.send(head(5))
    assert good.answer(5) == (200, b"a")
    assert sum("/bad" in start for start in asked) < 500


# Not under sanitizers, which keep what is freed.
def test_clients_that_take_nothing_cost_little_and_not_for_ever(lb, server, tmp_path):
    """With windows of nothing, and with a socket that is full."""
    log = tmp_path / "access.log"
    proxy = lb(http_config(server(serves(lambda got: response(b"a" if "/small" in got.start else BODY))),
                           listener={"timeouts": {"send": "2s"}, "access_log": {"output": str(log)}},
                           runtime={"workers": 1}))
    good = http2.Client(proxy.connect())
    before = proxy.rss_kib()
    none = frame(http2.SETTINGS, payload=http2.setting(4, 0))
    stalled = [http2.Client(proxy.connect(), none) for _ in range(4)]
    for client in stalled:
        client.send(*(head(2 * i + 1) for i in range(50)))
    deaf = http2.Client(proxy.connect(), frame(http2.SETTINGS, payload=http2.setting(4, 1 << 30)))
    deaf.send(frame(http2.WINDOW_UPDATE, payload=struct.pack(">I", 1 << 30)),
              *(head(2 * i + 1) for i in range(50)))
    for stream in range(1, 101, 2):
        good.send(head(stream, path="/small"))
        assert good.answer(stream) == (200, b"a")
    # 250 responses of 1 MB are under way: a read of each may be here, and no more.
    assert proxy.rss_kib() - before < 250 * 64 + 10_000
    for client in stalled:
        ended = {}
        while len(ended) < 50:
            _, _, stream, payload = client.until(http2.RST_STREAM)
            ended[stream] = struct.unpack(">I", payload)[0]
        assert set(ended.values()) == {http2.CANCEL}
        client.send(frame(http2.SETTINGS, payload=http2.setting(4, 65_535)), head(101, path="/small"))
        assert client.answer(101) == (200, b"a")
    # More than those of the four.
    wait_until(lambda: log.read_text().count('"send_timeout"') > 200, "the end of the deaf one")


@pytest.mark.fast
def test_more_streams_than_there_may_be_are_refused(lb, server):
    proxy = lb(http_config(server(serves(lambda _: response(b"a"))),
                           listener={"limits": {"max_streams": 2}}, runtime={"workers": 1}))
    client = http2.Client(proxy.connect())
    assert http2.setting(3, 2) in client.until(http2.SETTINGS)[3]
    client.send(*(head(stream, "POST", ends=False) for stream in (1, 3, 5)))
    assert client.answer(5) == http2.REFUSED_STREAM
    client.send(frame(http2.DATA, http2.END_STREAM, 1), frame(http2.DATA, http2.END_STREAM, 3))
    assert client.answer(1) == (200, b"a")
