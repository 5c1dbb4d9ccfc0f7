# SPDX-License-Identifier: MIT
"""lb under random faults for a long time: servers killed, stopped and started, reloads good and bad,
connections that are reset or say nothing or nonsense, log files rotated, descriptors taken away.

Meanwhile clients of servers without faults must get every byte and see no error at all, and clients of
the others either everything or an error: an end in order with bytes missing is a loss. Afterwards
lb has as many descriptors as in the beginning and no more memory than then.

random_faults.py [--seconds N] [--seed N]"""

import argparse
import collections
import copy
import os
import pathlib
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from lbtest import LbProcess, connect, free_port, wait_until  # noqa: E402
from lbtest.http import asks  # noqa: E402

LARGEST = 300_000
PATIENCE_S = 30
WARM_UP_S = 5
QUIET_S = 5
# What the allocator may keep of a busy time beyond the memory of the start.
SPARE_MEMORY = 1.25
SPARE_KIB = 8 * 1024


class Server:
    """An echo server at a port of its own, in a process that may be killed."""

    def __init__(self, protocol):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._protocol = protocol
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, HERE / "echo_server.py", self._protocol,
             str(self.port)], stdout=subprocess.PIPE)
        assert self._process.stdout.readline(), "an echo server does not start"

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class Clients:
    """Threads that go on until they are told to end, and what came of what they did."""

    def __init__(self):
        self.counts = collections.Counter()
        self.losses = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = []

    def start(self, count, turn, what):
        for number in range(count):
            thread = threading.Thread(target=self._run, args=(turn, what, random.Random(random.random())))
            self._threads.append(thread)
            thread.start()

    def _run(self, turn, what, chance):
        while not self._ended.is_set():
            try:
                self.note(what, turn(chance))
            except Exception as problem:  # noqa: BLE001: whatever it is, it is what we look for
                self.losses.append(f"{what}: {type(problem).__name__}: {problem}")
                return

    def note(self, what, size):
        with self._lock:
            self.counts[what] += 1
            self.counts["bytes"] += size

    def end(self):
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_S)
            assert not thread.is_alive(), "a client hangs"


class Sends:
    """Sends in a thread of its own, so that both directions are busy."""

    def __init__(self, client, data):
        self._client, self._data = client, data
        self._error = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            self._client.send(self._data).finish()
        except OSError as error:
            self._error = error

    def join(self):
        """The kernel tells of a reset once: to who sends or to who reads."""
        self._thread.join()
        if self._error is not None:
            raise self._error


def echoes(address, is_steady):
    """One connection: everything comes back, in order, or (where servers have faults) an error does."""
    def turn(chance):
        data = chance.randbytes(chance.randrange(1, LARGEST))
        with connect(address, timeout_s=PATIENCE_S) as client:
            sending = Sends(client, data)
            try:
                try:
                    got = client.receive_all()
                finally:
                    sending.join()
            except OSError:
                if is_steady:
                    raise
                return 0
            assert got == data, f"{len(got)} of {len(data)} bytes came back in order"
            return len(got)
    return turn


def talks(address):
    """A connection that stays for many exchanges."""
    def turn(chance):
        size = 0
        with connect(address, timeout_s=PATIENCE_S) as client:
            for _ in range(chance.randrange(1, 300)):
                data = chance.randbytes(chance.randrange(1, 2000))
                assert client.asks(data) == data
                size += len(data)
                time.sleep(0.01)
        return size
    return turn


def posts(address):
    """Several requests on one connection."""
    def turn(chance):
        size = 0
        with connect(address, timeout_s=PATIENCE_S) as client:
            for _ in range(chance.randrange(1, 20)):
                body = chance.randbytes(chance.randrange(1, LARGEST // 4))
                got = asks(client, method="POST", body=body)
                assert got.status == 200 and got.body == body, f"{got.status}: {len(got.body)} of {len(body)}"
                size += len(body)
        return size
    return turn


class Soak:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.faults = collections.Counter()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="lb-soak-"))
        self.steady, self.shaky = [Server("tcp"), Server("tcp")], [Server("tcp") for _ in range(3)]
        self.http = [Server("http"), Server("http")]
        self.at = {name: f"127.0.0.1:{free_port()}" for name in ("steady", "shaky", "web", "extra")}
        self.config = self.make_config()
        self.lb = LbProcess(self.config).wait_ready()

    def make_config(self):
        def listener(name, **more):
            return {"address": self.at[name], "pool": name, **more}

        def pool(servers, **more):
            return {"servers": [{"name": f"s{i}", "address": one.address} for i, one in enumerate(servers)],
                    "health_check": "off", **more}

        check = {"interval": "250ms", "fast_interval": "100ms", "timeout": "200ms"}
        return {
            "runtime": {"workers": 2, "drain_timeout": "2s"},
            "log": {"output": str(self.directory / "lb.log")},
            "listeners": {
                "steady": listener("steady"),
                "shaky": listener("shaky", access_log={"output": str(self.directory / "access.log")}),
                "web": listener("web", protocol="http"),
            },
            "pools": {
                "steady": pool(self.steady, balance="least_connections"),
                "shaky": pool(self.shaky, health_check=check),
                "web": pool(self.http, timeouts={"keep_alive": "2s"}),
            },
        }

    # Faults. Each is over when its function returns.

    def kills_a_server(self):
        server = self.chance.choice(self.shaky)
        server.kill()
        time.sleep(self.chance.random() * 2)
        server.start()

    def stops_a_server(self):
        server = self.chance.choice(self.shaky)
        server.signal(signal.SIGSTOP)
        time.sleep(self.chance.random() * 2)
        server.signal(signal.SIGCONT)

    def reloads(self):
        config = copy.deepcopy(self.config)
        shaky = config["pools"]["shaky"]
        shaky["balance"] = self.chance.choice(["round_robin", "random", "least_connections", "source_ip_hash"])
        if self.chance.random() < 0.5:
            shaky["servers"].pop(self.chance.randrange(3))
        if self.chance.random() < 0.5:
            config["listeners"]["extra"] = {"address": self.at["extra"], "pool": "shaky"}
        config["listeners"]["steady"]["timeouts"] = {"idle": f"{self.chance.randrange(60, 600)}s"}
        self.lb.reload(config)

    def reloads_nonsense(self):
        self.lb.reload(self.chance.choice(["listeners: [", "", "listeners: {steady: {}}\npools: {}"]))

    def rotates_logs(self):
        (self.directory / "access.log").rename(self.directory / "access.log.1")
        self.lb.signal(signal.SIGUSR1)
        wait_until((self.directory / "access.log").exists, "a new access log")

    def sends_nonsense(self):
        for _ in range(self.chance.randrange(1, 100)):
            with connect(self.at[self.chance.choice(["shaky", "web"])], timeout_s=PATIENCE_S) as client:
                try:
                    client.send(self.chance.randbytes(self.chance.randrange(0, 3000)))
                except OSError:
                    continue
                if self.chance.random() < 0.5:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def says_nothing(self):
        silent = [connect(self.at["web"], timeout_s=PATIENCE_S) for _ in range(100)]
        time.sleep(self.chance.random() * 2)
        for client in silent:
            client.close()

    def takes_descriptors(self):
        pid = self.lb.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        few = min(before[0], self.lb.fd_count() + self.chance.randrange(20))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))
        time.sleep(self.chance.random())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    # The run.

    def run(self, seconds):
        self.speak(WARM_UP_S, [])
        fds_before, rss_before = self.quiet()
        clients = self.speak(seconds, [
            self.kills_a_server, self.stops_a_server, self.reloads, self.reloads_nonsense, self.rotates_logs,
            self.sends_nonsense, self.says_nothing, self.takes_descriptors])
        self.lb.reload(self.config)
        fds_after, rss_after = self.quiet()
        print(f"clients: {dict(clients.counts)}\nfaults: {dict(self.faults)}\n"
              f"before: {rss_before} KiB, {fds_before} descriptors; after: {rss_after} KiB, {fds_after}",
              flush=True)
        for loss in clients.losses:
            print(f"LOST: {loss}")
        assert not clients.losses, f"{len(clients.losses)} losses"
        assert fds_after <= fds_before, "descriptors were lost"
        assert rss_after <= rss_before * SPARE_MEMORY + SPARE_KIB, "memory has grown"

    def speak(self, seconds, faults):
        clients = Clients()
        clients.start(3, echoes(self.at["steady"], True), "steady connections")
        clients.start(3, talks(self.at["steady"]), "steady talks")
        clients.start(3, posts(self.at["web"]), "connections with requests")
        clients.start(3, echoes(self.at["shaky"], False), "connections to shaky servers")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.chance.random() / 2)
            if faults:
                fault = self.chance.choice(faults)
                fault()
                self.faults[fault.__name__] += 1
        clients.end()
        return clients

    def descriptors(self):
        """Without pipes: each worker keeps a few of those, as many as were in use at a time."""
        return sum(not link.startswith("pipe:") for link in self.lb.links())

    def quiet(self):
        """What lb holds once nobody has spoken for a while: descriptors and KiB."""
        seen, since = None, 0.0

        def is_settled():
            nonlocal seen, since
            now = self.descriptors()
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.1)
            return time.monotonic() - since > QUIET_S

        wait_until(is_settled, "descriptors stay", timeout_s=PATIENCE_S)
        return self.descriptors(), self.lb.rss_kib()

    def close(self):
        self.lb.close()
        for server in (*self.steady, *self.shaky, *self.http):
            server.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    soak = Soak(options.seed)
    try:
        soak.run(options.seconds)
    finally:
        soak.close()
    print("nothing was lost")


if __name__ == "__main__":
    main()
