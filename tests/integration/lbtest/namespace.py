# SPDX-License-Identifier: MIT
"""Network namespaces: a machine of its own for lb, with addresses that exist nowhere else. Root."""

import ctypes
import functools
import itertools
import os
import subprocess

from lbtest.background import in_background

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def _run(*words):
    subprocess.run(words, check=True, timeout=30, capture_output=True)


@functools.cache
def can_have_namespaces():
    """Whether this process may make network namespaces: many containers forbid it even to root."""
    try:
        _run("unshare", "--net", "true")
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


class Namespace:
    """A network namespace with its loopback up; gone, with everything in it, after close()."""

    def __init__(self):
        self.name = f"lbtest-{os.getpid()}-{next(_numbers)}"
        _run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        """The ip command inside."""
        _run(*self.inside, "ip", *words)

    def add_address(self, address, device="lo"):
        """Another address, e.g. "10.1.2.3/32", that is usable at once."""
        options = ["nodad"] if ":" in address else []
        self.ip("address", "add", address, "dev", device, *options)

    @property
    def inside(self):
        """What to put before a command to run it inside."""
        return ("nsenter", f"--net=/run/netns/{self.name}")

    def call(self, function, *arguments):
        """Calls a function in a thread that lives inside; sockets that it opens stay inside."""

        def enter_and_call():
            with open(f"/run/netns/{self.name}", "rb") as space:
                if _libc.setns(space.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return function(*arguments)

        return in_background(enter_and_call).result()

    def close(self):
        _run("ip", "netns", "delete", self.name)
