# SPDX-License-Identifier: MIT
"""Real servers, each in a directory of its own on a port of its own."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

from lbtest.ports import free_port, wait_until


class _Server:
    """A server process that is stopped by a signal and leaves nothing behind."""

    STOP = signal.SIGTERM

    def __init__(self, prefix):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"lbtest-{prefix}-"))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process = None

    def _start(self, command, **options):
        self._command = command, options
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], cwd=self.directory,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        wait_until(self._answers, f"{command[-1]} answers", timeout_s=30)

    def _answers(self):
        assert self._process.poll() is None, (self.directory / "log").read_text(errors="replace")
        return self.is_ready()

    def kill(self):
        """SIGKILL to it and to all its children, at once: nobody says goodbye, nobody is left."""
        process = pathlib.Path("/proc", str(self._process.pid))
        self._process.send_signal(signal.SIGSTOP)  # from here on it has no more children
        wait_until(lambda: "T (stopped)" in (process / "status").read_text(), "it stands still")
        children = (process / "task" / process.name / "children").read_text().split()
        for number in (signal.SIGSTOP, signal.SIGKILL):  # none may tell the others
            for pid in children:
                os.kill(int(pid), number)
        self._process.kill()
        self._process.wait()
        wait_until(lambda: not any(_is_running(pid) for pid in children), "its children end")

    def start_again(self):
        """After kill(), with the same data."""
        command, options = self._command
        self._start(command, **options)

    def stop(self):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.STOP)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.directory)


def _is_running(pid):
    try:
        return "Z (zombie)" not in pathlib.Path("/proc", pid, "status").read_text()
    except FileNotFoundError:
        return False


class RedisServer(_Server):
    """Redis without persistence."""

    def __init__(self):
        super().__init__("redis")
        self._start(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
                     "--save", "", "--appendonly", "no", "--dir", str(self.directory)])

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as raw:
                raw.sendall(b"PING\r\n")
                return raw.recv(16) == b"+PONG\r\n"
        except OSError:
            return False

    def command(self, *words, address=None):
        """What redis-cli prints, asked here or at another address."""
        host, _, port = (address or self.address).rpartition(":")
        done = subprocess.run(["redis-cli", "-h", host, "-p", port, *words], text=True,
                              capture_output=True, timeout=20, check=True)
        return done.stdout.strip()


class PostgresServer(_Server):
    """PostgreSQL with a fresh cluster that trusts everyone on loopback."""

    STOP = signal.SIGINT  # fast: does not wait for clients

    def __init__(self):
        super().__init__("postgres")
        self._bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
                        key=lambda path: int(path.parent.name))
        self._as_user = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            self._as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                             "--clear-groups"]
        data = self.directory / "data"
        subprocess.run([*self._as_user, self._bin / "initdb", "-D", data, "-U", "postgres",
                        "-A", "trust", "--locale=C", "-E", "UTF8", "--no-sync"],
                       check=True, timeout=120, capture_output=True, cwd=self.directory)
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "fsync": "off",
                    "unix_socket_directories": self.directory, "shared_buffers": "16MB"}
        self._start([*self._as_user, "setpriv", "--pdeathsig", "KILL", self._bin / "postgres",
                     "-D", data, *(f"--{name}={value}" for name, value in settings.items())])

    def is_ready(self):
        done = subprocess.run([self._bin / "pg_isready", "-q", "-h", "127.0.0.1",
                               "-p", str(self.port)], timeout=20)
        return done.returncode == 0

    def sql(self, query, address=None):
        """What psql prints for a query, asked here or at another address."""
        host, _, port = (address or self.address).rpartition(":")
        done = subprocess.run(
            [self._bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port,
             "-U", "postgres", "-c", query, "postgres"],
            text=True, capture_output=True, timeout=30, env={**os.environ, "PGSSLMODE": "disable"})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
