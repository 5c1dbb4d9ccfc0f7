# SPDX-License-Identifier: MIT
"""Datagrams with false sources: a process that sends one from each of many addresses, as fast as it
can, in a Namespace where all of 44.0.0.0/8 is local. This file is both what tests import and what
that process runs. Root."""

import socket
import struct
import subprocess
import sys

FIRST = 44 << 24


def allow_false_sources(space):
    """Answers to them end in the namespace, too."""
    space.ip("route", "add", "local", "44.0.0.0/8", "dev", "lo")


class Flood:
    """One datagram from each of `sources` addresses, port 5000, beginning with the first."""

    def __init__(self, space, address, sources, first=0):
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *space.inside, sys.executable, __file__, address,
             str(first), str(sources)], stdout=subprocess.PIPE, text=True)

    def is_running(self):
        return self._process.poll() is None

    def wait(self, timeout_s=100):
        said, _ = self._process.communicate(timeout=timeout_s)
        assert self._process.returncode == 0
        return int(said)


def _run(address, first, sources):
    host, _, port = address.rpartition(":")
    payload = b"flood"
    packet = bytearray(struct.pack(
        "!BBHHHBBH4s4sHHHH", 0x45, 0, 28 + len(payload), 0, 0, 64, socket.IPPROTO_UDP, 0, bytes(4),
        socket.inet_aton(host), 5_000, int(port), 8 + len(payload), 0) + payload)
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        to = (host, 0)
        for number in range(FIRST + first, FIRST + first + sources):
            struct.pack_into("!I", packet, 12, number)
            try:
                raw.sendto(packet, to)
                sent += 1
            except OSError:  # no buffers just now
                pass
    print(sent)


if __name__ == "__main__":
    _run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
