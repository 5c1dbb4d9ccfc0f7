# SPDX-License-Identifier: MIT
"""Large transfers whose every byte is checked: both ends return a checksum of what passed them."""

import functools
import hashlib
import random


@functools.cache
def _block():
    """1 MiB of noise, so that a lost, doubled or moved piece changes the checksum."""
    return memoryview(random.Random(1).randbytes(1 << 20))


def send_bulk(connection, size):
    """Sends size bytes and returns their checksum."""
    digest = hashlib.sha256()
    left, turn = size, 0
    while left:
        # Each block begins elsewhere in the noise: no two look alike.
        turn = (turn + 7919) % len(_block())
        piece = _block()[turn : turn + left]
        connection.send(piece)
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


def receive_bulk(connection, size):
    """Receives exactly size bytes and returns their checksum."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 18))
    left = size
    while left:
        got = connection.socket.recv_into(buffer[: min(left, len(buffer))])
        assert got, f"the peer finished {left} bytes early"
        digest.update(buffer[:got])
        left -= got
    return digest.hexdigest()
