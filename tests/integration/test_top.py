# SPDX-License-Identifier: MIT
"""lb top: what a running lb does, in a terminal."""

import os
import pty
import select

import pytest
from lbtest import BINARY, free_port, names_itself, run_lb, tcp_config
from lbtest.connection import TIMEOUT_S, is_ready


def screens(command, enough):
    """What a program shows in a terminal until that is enough, and then until q has ended it."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)
    shown = b""
    while not enough(shown):
        assert is_ready(terminal, select.POLLIN, TIMEOUT_S), "it shows nothing more"
        shown += os.read(terminal, 65536)
    os.write(terminal, b"q")
    try:
        while block := os.read(terminal, 65536):
            shown += block
    except OSError:
        pass  # the terminal is gone with its last user
    assert os.waitpid(process, 0)[1] == 0
    return shown.decode()


@pytest.mark.fast
def test_top_shows_what_happens(lb, server):
    admin = f"127.0.0.1:{free_port()}"
    proxy = lb(tcp_config({"name": "a", "address": server(names_itself("a"))}, admin={"address": admin}))
    with proxy.connect() as client:
        client.receive_line()
    once = run_lb("top", "--admin", admin)
    assert once.returncode == 0 and "LISTENER" in once.stdout and "\x1b" not in once.stdout
    shown = screens([BINARY, "top", "--admin", admin], lambda shown: shown.count(b"LISTENER") == 2)
    assert shown.startswith("\x1b[?1049h") and shown.rstrip().endswith("\x1b[?1049l")
    assert "back/a" in shown
    nobody = run_lb("top", "--admin", f"127.0.0.1:{free_port()}")
    assert nobody.returncode == 1 and "nothing listens" in nobody.stderr
