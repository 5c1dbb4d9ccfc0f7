# SPDX-License-Identifier: MIT
"""Ports that nobody uses, and waiting for a condition with an end to it."""

import errno
import fcntl
import itertools
import random
import socket
import tempfile
import time

# Below the kernel's own range, so that no outgoing connection takes one in the meantime.
_RANGES = [range(first, first + 2_000) for first in range(10_000, 32_000, 2_000)]


def _range_of_this_run():
    """A range of ports that no other run on this machine uses: an lb of one must not meet, where it
    knows that nobody listens, a server of the other."""
    for ports in random.sample(_RANGES, len(_RANGES)):
        try:
            claim = open(f"{tempfile.gettempdir()}/lbtest-ports-{ports[0]}", "w")
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return ports, claim
        except OSError:
            continue
    return random.choice(_RANGES), None  # so many runs, or not our files


_ports, _claim = _range_of_this_run()  # held until the end of the process
_candidates = itertools.cycle(_ports)


def free_port():
    """A TCP port that is free on every address, and that this run hands out only once a round."""
    for port in _candidates:
        if _can_bind(socket.AF_INET, "0.0.0.0", port) and _can_bind(socket.AF_INET6, "::", port):
            return port
    raise AssertionError("unreachable")


def named(host, port):
    """What socket.bind() takes; port 0: a free port, which is nobody's either while its owner does not
    listen there."""
    return host, port or free_port()


def _can_bind(family, address, port):
    try:
        with socket.socket(family) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        # A machine without IPv6 has no such port in use.
        return error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
    return True


def has_ipv6():
    """Whether this machine has an IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def wait_until(condition, what, timeout_s=30.0):
    """Asks again and again until the condition holds; fails by naming what did not happen."""
    end = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.005)
