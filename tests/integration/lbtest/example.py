# SPDX-License-Identifier: MIT
"""Example servers as "lb demo --serve" runs them, each a process of its own."""

import json
import os
import subprocess

from lbtest.connection import connect
from lbtest.http import asks
from lbtest.ports import free_port
from lbtest.process import BINARY


class ExampleServer:
    """environment: SERVER_ID, FAILURE_RATE, MIN_LATENCY, MAX_LATENCY."""

    def __init__(self, name, **environment):
        self.name = name
        self.address = f"127.0.0.1:{free_port()}"
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", BINARY, "demo", "--serve", self.address],
            env={**os.environ, "SERVER_ID": name, **environment}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        said = self._process.stdout.readline()
        assert said == f"{name} serves on {self.address}\n", said

    def ask(self, **request):
        """What it answers itself, without a balancer."""
        with connect(self.address) as client:
            return asks(client, **request)

    def health(self):
        return json.loads(self.ask(path="/health").body)

    def stop(self):
        self._process.terminate()
        assert self._process.wait(60) == 0
        self._process.stdout.close()
