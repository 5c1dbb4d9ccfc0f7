# SPDX-License-Identifier: MIT
"""As much of PostgreSQL's protocol as a client needs that nobody asks for a password: one connection,
one statement, in a few bytes, so that hundreds may do it at once."""

import asyncio
import struct


class Refused(Exception):
    """What the server says when it does not do what it is asked."""


async def execute(address, statement, timeout_s=120.0):
    """Connects, runs one statement, leaves. Raises Refused with the server's words, or OSError or
    EOFError when the connection ends before the answer."""
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            parameters = b"user\0postgres\0database\0postgres\0\0"
            writer.write(struct.pack("!ii", 8 + len(parameters), 196_608) + parameters)
            await _until_ready(reader)
            text = statement.encode() + b"\0"
            writer.write(b"Q" + struct.pack("!i", 4 + len(text)) + text)
            await _until_ready(reader)
            writer.write(b"X\0\0\0\4")
        finally:
            writer.close()


async def _until_ready(reader):
    refusal = None
    while True:
        head = await reader.readexactly(5)
        body = await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
        if head[:1] == b"E":
            fields = {field[:1]: field[1:].decode() for field in body.split(b"\0") if field}
            refusal = Refused(fields.get(b"M", "?"))
            if fields.get(b"S") == "FATAL":
                raise refusal
        if head[:1] == b"Z":
            if refusal:
                raise refusal
            return
