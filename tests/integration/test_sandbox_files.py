# SPDX-License-Identifier: MIT
"""Files that a reload names in directories which the sandbox has closed: the process outside opens
them, and no others."""

import os
import pathlib
import pwd
import re
import shutil
import signal

import pytest
from lbtest import echo, free_port, run_lb, tcp_config, wait_until
from lbtest.config import text_of
from lbtest.logs import logged
from lbtest.sandbox import is_in_binary, kernel_has_landlock

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
EACH_USER = pytest.mark.parametrize("user", [None, pytest.param("nobody", marks=AS_ROOT)])
# What a process that is somebody else from now on needs of its directory.
OPEN_TO_ALL = ("sh", "-c", 'chmod 755 . && chmod 777 notify && exec "$@"', "sh")


@pytest.fixture
def place(directory):
    """Makes a directory, for every user, that lb has not seen at its start."""
    directory.chmod(0o755)

    def make(name):
        made = directory / name
        made.mkdir()
        made.chmod(0o777)
        return made

    return make


@pytest.fixture
def sandboxed(lb):
    def start(config, user=None):
        if user:
            config.setdefault("runtime", {})["user"] = user
        proxy = lb(config, inside=OPEN_TO_ALL)
        proxy.wait_log("ready: ")
        if not is_in_binary() or not kernel_has_landlock():
            pytest.skip("a build or a kernel that closes no directories")
        return proxy

    return start


def outcome(proxy, config):
    """What the log says of a reload."""
    seen = len(proxy.log())
    proxy.reload(config)
    return wait_until(lambda: re.search("lb.yaml: reloaded|(?s:.*)(configuration stays|not reloaded).*",
                                        proxy.log()[seen:]), "how it went")[0]


def is_refused(proxy, config, why):
    """And what is served stays."""
    assert re.search(why, outcome(proxy, config))
    return proxy.connect().asks(b"still here") == b"still here"


def put_certificate(authority, into, subject):
    """As {certificate, key}: files that take the place of what is there."""
    files = {}
    for what, source in authority.issue("elsewhere", "app.example", subject=subject).items():
        files[what] = str(into / f"{what}.pem")
        shutil.copy(source, files[what] + ".new")
        os.chmod(files[what] + ".new", 0o644)
        os.rename(files[what] + ".new", files[what])
    return files


def replace(file, text):
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(file)


def served_subject(authority, proxy):
    with authority.connect(proxy.address) as client:
        return dict(pair[0] for pair in client.socket.getpeercert()["subject"])["commonName"]


def process_outside(proxy):
    """The pid of lb-scripts."""
    pid = proxy.process.pid
    (child,) = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


@EACH_USER
def test_a_certificate_elsewhere_is_served_and_so_is_the_next(sandboxed, server, authority, place, user):
    config = tcp_config(server(echo))
    proxy, live = sandboxed(config, user), place("live")
    config["listeners"]["front"]["tls"] = {"certificates": [put_certificate(authority, live, "first")]}
    assert outcome(proxy, config) == "lb.yaml: reloaded"
    assert served_subject(authority, proxy) == "first"
    put_certificate(authority, live, "second")
    assert outcome(proxy, config) == "lb.yaml: reloaded"
    assert served_subject(authority, proxy) == "second"


@EACH_USER
def test_logs_elsewhere_are_written_and_rotated(sandboxed, server, place, user):
    config = tcp_config(server(echo))
    proxy, logs = sandboxed(config, user), place("logs")
    access, log = logs / "access.log", logs / "lb.log"
    config["listeners"]["front"]["access_log"] = {"output": str(access)}
    config["log"] = {"output": str(log)}

    def both_are_used():
        with proxy.connect() as client:
            assert client.asks(b"hello") == b"hello"
        return logged(access) and log.exists() and "lb.yaml: reloaded" in log.read_text()

    proxy.reload(config)
    wait_until(both_are_used, "lines in both")
    for file in (access, log):
        file.rename(file.with_suffix(".1"))
    proxy.signal(signal.SIGUSR1)
    wait_until(lambda: access.exists() and log.exists(), "both anew")
    proxy.reload(config)
    wait_until(both_are_used, "lines in both again")
    assert {file.stat().st_uid for file in logs.iterdir()} == {pwd.getpwnam(user).pw_uid if user else os.geteuid()}


@EACH_USER
def test_lists_and_keys_of_tokens_elsewhere_are_followed(sandboxed, server, place, user):
    config = tcp_config(server(echo))
    proxy, files = sandboxed(config, user), place("files")
    (files / "allow").write_text("127.0.0.1\n")
    (files / "secret").write_text("the secret of the shop, 32 bytes")
    config["listeners"]["front"]["allow"] = [{"file": str(files / "allow")}]
    config["jwt"] = {"shop": {"algorithms": ["HS256"], "secret_file": str(files / "secret")}}
    assert outcome(proxy, config) == "lb.yaml: reloaded"
    assert proxy.connect().asks(b"hello") == b"hello"
    replace(files / "allow", "127.0.0.9\n")
    replace(files / "secret", "another secret of that shop, too")
    proxy.wait_log("lists read again")
    proxy.wait_log("keys of tokens read again")
    proxy.connect().expect_reset()


def test_a_log_beside_the_configuration_file_can_be_begun(sandboxed, server):
    config = tcp_config(server(echo))
    proxy = sandboxed(config)
    log = proxy.directory / "lb.log"
    proxy.reload({**config, "log": {"output": str(log)}})
    wait_until(lambda: log.exists() and "lb.yaml: reloaded" in log.read_text(), "the new log")


@AS_ROOT
@pytest.mark.parametrize("user", [None, "nobody"])
def test_what_the_user_may_not_read_root_does_not_hand_over(sandboxed, server, place, user):
    config = tcp_config(server(echo))
    proxy, files = sandboxed(config, user), place("files")
    (files / "allow").write_text("127.0.0.1\n")
    (files / "allow").chmod(0o600)
    if not user:
        shutil.chown(files / "allow", "nobody")
    config["listeners"]["front"]["allow"] = [{"file": str(files / "allow")}]
    assert is_refused(proxy, config, "cannot read .*/allow: Permission denied [(]in the sandbox .* the user of lb")


def test_without_the_process_outside_only_what_is_new_elsewhere_is_refused(sandboxed, server, place):
    config = tcp_config(server(echo))
    proxy, files = sandboxed(config), place("files")
    (files / "allow").write_text("127.0.0.1\n")
    (proxy.directory / "allow").write_text("127.0.0.1\n")
    os.kill(process_outside(proxy), signal.SIGKILL)
    proxy.wait_log("the process that runs scripts has ended")
    config["listeners"]["front"]["allow"] = [{"file": str(files / "allow")}]
    assert is_refused(proxy, config, "process that opens files outside the sandbox has ended: restart lb")
    config["listeners"]["front"]["allow"] = [{"file": str(proxy.directory / "allow")}]
    assert outcome(proxy, config) == "lb.yaml: reloaded"


@pytest.mark.parametrize("change", ["socket", "state_file"])
def test_what_needs_its_directory_is_refused_as_before(sandboxed, server, place, change):
    config = tcp_config(server(echo), admin={"address": f"127.0.0.1:{free_port()}"})
    proxy, files = sandboxed(config), place("files")
    if change == "socket":
        config["listeners"]["front"]["address"] = [proxy.address, f"unix:{files}/socket"]
    else:
        config["admin"]["state_file"] = str(files / "state")
    assert is_refused(proxy, config, "/files/s.* is in no directory that this process may use.*restart")


def test_where_the_configuration_file_could_be_written_nothing_is_handed_over(sandboxed, server, place, admin):
    config = tcp_config(server(echo), admin={"address": admin.address, "state_file": "beside-lb.yaml"})
    proxy, files = sandboxed(config), place("files")
    (files / "allow").write_text("127.0.0.1\n")
    config["listeners"]["front"]["allow"] = [{"file": str(files / "allow")}]
    assert is_refused(proxy, config, "cannot read .*/allow: Permission denied .*restart to name another")


@pytest.mark.skipif(not is_in_binary(), reason="a build without a sandbox")
def test_the_check_proves_that_no_other_file_is_handed_over(directory, server):
    (directory / "allow").write_text("127.0.0.1\n")
    config = tcp_config(server(echo), listener={"allow": [{"file": str(directory / "allow")}]})
    (directory / "lb.yaml").write_text(text_of(config))
    result = run_lb("check", "--config", directory / "lb.yaml", "--sandbox")
    assert result.returncode == 0, result.stdout
    for what in ("/etc/passwd to read", f"{directory}/lb.yaml to write", f"{directory}/allow to write"):
        assert f"  refused      be given {what} it: " in result.stdout
    assert f"  works        be given {directory}/allow to read it\n" in result.stdout
