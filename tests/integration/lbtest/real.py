# SPDX-License-Identifier: MIT
"""Real servers, each in a directory of its own on a port of its own."""

import itertools
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
        wait_until(self._answers, f"{command[-1]} answers", timeout_s=100)

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
                self._process.wait(60)
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
    """Redis without persistence. With `tls` (a certificate as lb.yaml lists it) it speaks TLS on a
    second port, at secure_address."""

    def __init__(self, replica_of=None, tls=None):
        super().__init__("redis")
        secure = []
        if tls:
            port = free_port()
            self.secure_address = f"127.0.0.1:{port}"
            secure = ["--tls-port", str(port), "--tls-cert-file", tls["certificate"],
                      "--tls-key-file", tls["key"], "--tls-auth-clients", "no"]
        copies = ["--replicaof", "127.0.0.1", str(replica_of.port)] if replica_of else []
        self._start(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
                     "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
                     "--dir", str(self.directory), *copies, *secure])

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
                              capture_output=True, timeout=60, check=True)
        return done.stdout.strip()

    def promote(self):
        self.command("REPLICAOF", "NO", "ONE")


class FileServer(_Server):
    """nginx with something small at / and two megabytes at /large; /takes reads what it is sent before
    it answers."""

    def __init__(self):
        super().__init__("files")
        (self.directory / "files").mkdir()
        (self.directory / "files/large").write_bytes(bytes(2_000_000))
        (self.directory / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid nginx.pid; error_log stderr;
            worker_rlimit_nofile 16384;
            events {{ worker_connections 8000; }}
            http {{
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{
                    listen 127.0.0.1:{self.port} backlog=4096;
                    root files;
                    location = / {{ return 200 "small"; }}
                    location /takes {{ proxy_pass http://127.0.0.1:{self.port}/; }}
                }}
            }}""")
        self._start(["nginx", "-p", f"{self.directory}/", "-c", "nginx.conf"])

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except OSError:
            return False


def _as_user(name, directory):
    """How root runs a server that refuses to run as root; the directory becomes that user's."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(name)
    os.chown(directory, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


class PostgresServer(_Server):
    """PostgreSQL with a fresh cluster, or with a copy of another's that follows it. Trusts everyone on
    loopback but the user "checker", who has the password "let me check"."""

    STOP = signal.SIGINT  # fast: does not wait for clients
    PASSWORD = "let me check"

    def __init__(self, replica_of=None, **settings):
        super().__init__("postgres")
        self._bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
                        key=lambda path: int(path.parent.name))
        self._user = _as_user("postgres", self.directory)
        data = self.directory / "data"
        if replica_of:
            self._run("pg_basebackup", "-D", data, "-h", "127.0.0.1", "-p", replica_of.port,
                      "-U", "postgres", "-R", "-c", "fast", "--no-sync")
        else:
            self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--locale=C",
                      "-E", "UTF8", "--no-sync")
            access = data / "pg_hba.conf"
            access.write_text("host all checker 127.0.0.1/32 scram-sha-256\n" + access.read_text())
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "fsync": "off",
                    "unix_socket_directories": self.directory, "shared_buffers": "16MB",
                    "wal_retrieve_retry_interval": "200ms", **settings}
        self._start([*self._user, "setpriv", "--pdeathsig", "KILL", self._bin / "postgres",
                     "-D", data, *(f"--{name}={value}" for name, value in settings.items())])
        if not replica_of:
            self.sql(f"create role checker login password '{self.PASSWORD}'")

    def switch_on_tls(self):
        """With a certificate that nobody knows."""
        subprocess.run([*self._user, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                        "/CN=localhost", "-keyout", "server.key", "-out", "server.crt"],
                       check=True, capture_output=True, timeout=60, cwd=self.directory / "data")
        self.sql("alter system set ssl = on")
        self.sql("select pg_reload_conf()")
        wait_until(lambda: self.sql("show ssl") == "on", "it has TLS")

    def _run(self, program, *arguments):
        subprocess.run([*self._user, self._bin / program, *map(str, arguments)], check=True,
                       timeout=120, capture_output=True, cwd=self.directory)

    def is_ready(self):
        done = subprocess.run([self._bin / "pg_isready", "-q", "-h", "127.0.0.1",
                               "-p", str(self.port)], timeout=60)
        return done.returncode == 0

    def sql(self, query, address=None):
        """What psql prints for a query, asked here or at another address."""
        host, _, port = (address or self.address).rpartition(":")
        done = subprocess.run(
            [self._bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port,
             "-U", "postgres", "-c", query, "postgres"],
            text=True, capture_output=True, timeout=60, env={**os.environ, "PGSSLMODE": "disable"})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def promote(self):
        assert self.sql("select pg_promote()") == "t"


class MariadbServer(_Server):
    """MariaDB with fresh data, or a replica by GTID of another, which is read-only. The user "checker"
    has the password "let me check" and may see how replication goes."""

    PASSWORD = "let me check"
    _ids = itertools.count(1)

    def __init__(self, replica_of=None):
        super().__init__("mariadb")
        user = _as_user("mysql", self.directory)
        data = self.directory / "data"
        if replica_of:
            subprocess.run([*user, "cp", "-r", replica_of.directory / "fresh", data], check=True)
        else:
            subprocess.run([*user, "mariadb-install-db", "--no-defaults", f"--datadir={data}",
                            "--auth-root-authentication-method=normal", "--skip-test-db"],
                           check=True, timeout=120, capture_output=True, cwd=self.directory)
            subprocess.run([*user, "cp", "-r", data, self.directory / "fresh"], check=True)
        settings = {"datadir": data, "port": self.port, "socket": self.directory / "socket",
                    "bind-address": "127.0.0.1", "server-id": next(self._ids), "log-bin": "log",
                    "pid-file": self.directory / "pid", "innodb-buffer-pool-size": "8M",
                    "innodb-log-file-size": "4M", "innodb-flush-log-at-trx-commit": "0",
                    "performance-schema": "off", "read-only": int(bool(replica_of))}
        self._start([*user, "setpriv", "--pdeathsig", "KILL", "mariadbd", "--no-defaults",
                     *(f"--{name}={value}" for name, value in settings.items())])
        if replica_of:
            self.sql(f"change master to master_host='127.0.0.1', master_port={replica_of.port}, "
                     "master_user='root', master_use_gtid=slave_pos; start slave")
            # The last that its primary was given before.
            wait_until(lambda: self.sql("select count(*) from information_schema.schemata"
                                        " where schema_name = 'app'") == "1", "it has caught up")
        else:
            self.sql(f"create user checker@'%' identified by '{self.PASSWORD}'; "
                     "grant slave monitor on *.* to checker@'%'; create database app")

    def is_ready(self):
        return self._client("select 1", self.address).returncode == 0

    def sql(self, query, address=None):
        """What the client prints for a query, asked here or at another address."""
        done = self._client(query, address or self.address)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _client(self, query, address):
        host, _, port = address.rpartition(":")
        return subprocess.run(["mariadb", "--no-defaults", "-NB", "-h", host, "-P", port, "-u", "root",
                               "--connect-timeout=30", "-e", query],
                              text=True, capture_output=True, timeout=60)

    def promote(self):
        self.sql("stop slave; reset slave all; set global read_only = 0")
