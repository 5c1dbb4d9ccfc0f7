# SPDX-License-Identifier: MIT
"""The real lb, as an operator sees it: a file, signals, a log, an exit code."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from lbtest.config import first_address, text_of
from lbtest.connection import connect
from lbtest.ports import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("LB_BINARY", str(ROOT / "build/release/lb"))
SANITIZER = re.compile(
    r"ERROR: \w*Sanitizer|WARNING: ThreadSanitizer|runtime error:|ERROR: LeakSanitizer")


def run_lb(*arguments, cwd=None, env=None, timeout_s=100.0):
    """Runs lb to its end, e.g. for "lb check"; returns the finished process with its output."""
    return subprocess.run([BINARY, *map(str, arguments)], cwd=cwd, text=True, capture_output=True,
                          env={**os.environ, **(env or {})}, timeout=timeout_s,
                          stdin=subprocess.DEVNULL)


class LbProcess:
    """lb in a directory of its own, with its lb.yaml, its log and a socket on which it says that it
    is ready. close() ends it and checks that it ended well."""

    START_S = 60.0
    END_S = 25.0  # less than the default drain_timeout: with all clients gone nothing waits for that

    def __init__(self, config, arguments=("--config", "lb.yaml"), env=None, inside=()):
        """inside: a command that runs lb somewhere else, as Namespace.inside does."""
        # Not pytest's tmp_path: the name of a unix socket has at most 107 bytes.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="lbtest-"))
        self.config_file = self.directory / "lb.yaml"
        self.log_file = self.directory / "stderr"
        self.output_file = self.directory / "stdout"
        self.address = None
        self.last_log = ""  # what log() told at the end
        self.exit_code = 0  # what close() expects; None: anything
        self._clients = []
        self._notices = []
        self.write_config(config)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(self.directory / "notify"))
        with open(self.log_file, "wb") as log, open(self.output_file, "wb") as output:
            self.process = subprocess.Popen(
                # setpriv: not even a killed test run leaves an lb behind.
                ["setpriv", "--pdeathsig", "KILL", *inside, BINARY, *arguments],
                cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(self.directory / "notify"), **(env or {})})

    # What it is told.

    def write_config(self, config):
        # An editor would write the file in one go, too: lb never sees half of it.
        fresh = self.directory / "lb.yaml.new"
        fresh.write_text(text_of(config))
        fresh.rename(self.config_file)
        self.address = first_address(config) or self.address

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, config):
        """Rewrites the file, asks for a reload and waits until lb has finished with it."""
        self.write_config(config)
        seen = len(self._notices)
        self.signal(signal.SIGHUP)
        self.wait_notice("RELOADING=1", since=seen)
        self.wait_notice("READY=1", since=seen)

    def terminate(self):
        """SIGTERM: it drains, then ends."""
        self.signal(signal.SIGTERM)

    def pause(self):
        """SIGSTOP; it stands still when this returns, and goes on by SIGCONT."""
        self.signal(signal.SIGSTOP)
        tasks = list(pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/status"))
        wait_until(lambda: all("T (stopped)" in task.read_text() for task in tasks), "it stands still")

    def kill(self):
        """SIGKILL: close() then expects no good end."""
        self.exit_code = None
        self.process.kill()
        self.process.wait(self.END_S)

    # What it says.

    def wait_ready(self):
        self.wait_notice("READY=1")
        return self

    def wait_notice(self, notice, since=0):
        """Waits for a line on the notification socket, among those that came after the first
        `since` messages. Returns the message that holds it."""
        end = time.monotonic() + self.START_S
        while True:
            for message in self._notices[since:]:
                if notice in message.splitlines():
                    return message
            left = end - time.monotonic()
            assert left > 0, f"lb did not say {notice} within {self.START_S:g} s"
            self._notify.settimeout(min(left, 0.1))
            try:
                self._notices.append(self._notify.recv(4096).decode())
            except TimeoutError:
                code = self.process.poll()
                assert code is None, f"lb ended with {code} before {notice}:\n{self.log()}"

    def notices(self):
        """What it has said on the notification socket, by now or before its end."""
        self._notify.settimeout(0)
        try:
            while True:
                self._notices.append(self._notify.recv(4096).decode())
        except BlockingIOError:
            return self._notices

    def log(self):
        return self.log_file.read_text(errors="replace")

    def output(self):
        return self.output_file.read_text(errors="replace")

    def wait_log(self, pattern):
        """Waits until a line of the log matches."""
        return wait_until(lambda: re.search(pattern, self.log()), f"{pattern!r} in the log")

    def wait_end(self):
        """Waits until it has ended; returns the exit code."""
        return self.process.wait(self.END_S)

    # What it uses.

    def fd_count(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def links(self):
        """What each of its descriptors leads to."""
        links = []
        for link in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                links.append(os.readlink(link))
            except FileNotFoundError:  # closed since
                pass
        return links

    def open_files(self):
        return set(self.links())

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[1])

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def expect_rest(self):
        """It does next to nothing, whoever waits; there may still be something to do at first."""
        def cpu_of_a_second_s():
            before_s = self.cpu_s()
            time.sleep(1.0)
            return self.cpu_s() - before_s

        used_s = []
        while not used_s or used_s[-1] >= 0.1:
            assert len(used_s) < 3, f"it spins: {used_s} s of a second"
            used_s.append(cpu_of_a_second_s())

    # Who speaks to it.

    def connect(self, address=None, source=None):
        """A client's connection to the first listener, or to another address."""
        client = connect(address or self.address, source)
        self._clients.append(client)
        return client

    def hang_up(self):
        """Ends the connections of all clients."""
        for client in self._clients:
            client.close()

    def close(self, in_haste=False):
        """Ends lb by SIGTERM if it still runs, and checks how it ended. In haste: a second signal ends what
        is still open, which a test that failed keeps."""
        self.hang_up()
        try:
            if self.process.poll() is None:
                self.terminate()
            if in_haste:
                try:
                    self.process.wait(1)
                except subprocess.TimeoutExpired:
                    self.terminate()
            code = self.process.wait(self.END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("lb did not end on SIGTERM") from None
        finally:
            self._notify.close()
            self.last_log = self.log()
            shutil.rmtree(self.directory)
        log = self.last_log
        assert not SANITIZER.search(log), f"a sanitizer complains:\n{log}"
        assert "a system call was refused" not in log, f"the sandbox stands in the way:\n{log}"
        if self.exit_code is not None:
            assert code == self.exit_code, f"lb ended with {code}:\n{log}"
