# SPDX-License-Identifier: MIT
"""The sandbox: what every thread of a running lb has given up, what a reload can still do, and what
`lb check --sandbox` proves."""

import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys

import pytest
from lbtest import BINARY, echo, free_port, refuses, run_lb, tcp_config, wait_until
from lbtest.config import text_of
from lbtest.http import http_config
from lbtest.sandbox import is_in_binary, kernel_has_landlock

pytestmark = pytest.mark.skipif(not is_in_binary(), reason="a build without a sandbox")

LOW_PORTS = 1 << 10  # CAP_NET_BIND_SERVICE
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
# What a process that is somebody else from now on needs of its directory.
OPEN_TO_ALL = ("sh", "-c", 'chmod 777 . notify && exec "$@"', "sh")

# Becomes a command for which prctl(PR_SET_SECCOMP), seccomp(2) and Landlock are forbidden ("all"), or
# Landlock or memfd_create(2) alone, as some containers do it: a filter of its own that answers EPERM.
FORBIDDEN = """
import ctypes, os, platform, struct, sys
calls = {"x86_64": (317, 444, 157), "aarch64": (277, 444, 167)}[platform.machine()]
if sys.argv[1] != "all":
    memfd = {"x86_64": 319, "aarch64": 279}[platform.machine()]
    calls = 3 * ({"landlock": 444, "memfd": memfd}[sys.argv[1]],)
LOAD, EQUALS, RETURN, ALLOW, REFUSE = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050001
program = [
    (LOAD, 0, 0, 0),
    (EQUALS, 5, 0, calls[0]),
    (EQUALS, 4, 0, calls[1]),
    (EQUALS, 0, 2, calls[2]),
    (LOAD, 0, 0, 16),
    (EQUALS, 1, 0, 22),
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, REFUSE),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
header = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, header, 0, 0) == 0, ctypes.get_errno()
os.execvp(sys.argv[2], sys.argv[2:])
"""


def threads(proxy):
    """[{field: value}] of the threads' status."""
    found = []
    for task in pathlib.Path(f"/proc/{proxy.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        found.append(dict(line.split(":\t", 1) for line in lines if ":\t" in line))
    return found


def checked(directory, config):
    file = directory / "lb.yaml"
    file.write_text(text_of(config))
    return run_lb("check", "--config", file, "--sandbox")


def landlock_is_there(result):
    """Whether lb confines itself to its files: where the kernel can, it does."""
    assert ("no Landlock" not in result.stdout) == kernel_has_landlock(), result.stdout
    return kernel_has_landlock()


def test_a_worker_is_refused_what_it_does_not_need(directory, server):
    result = checked(directory, tcp_config(server(echo)))
    for what in ("execute a program", "start a process", "trace a process",
                 "read the memory of another process", "signal another process",
                 "have a signal sent to another process", "become root",
                 "make code", "mount a file system", "leave its namespaces"):
        assert re.search(f"^  refused +{what}: Operation not permitted$", result.stdout, re.MULTILINE)
    for what in ("read /etc/passwd", "write /etc/passwd", "make /lb-sandbox-proof", "list /",
                 f"write {directory}/lb.yaml"):
        word = "refused" if landlock_is_there(result) else "(refused|not limited)"
        assert re.search(f"^  {word} +{what}(:|$)", result.stdout, re.MULTILINE), what
    assert re.search(f"^  works +read {directory}/lb.yaml$", result.stdout, re.MULTILINE)
    assert re.search("^  works +serve a connection$", result.stdout, re.MULTILINE)
    assert re.search("^noted for the log: [1-9]", result.stdout, re.MULTILINE)
    whole = landlock_is_there(result)
    assert result.stdout.endswith("sandbox: holds\n" if whole else "sandbox: holds, but for files\n")
    assert result.returncode == (0 if whole else 1)
    assert not pathlib.Path("/lb-sandbox-proof").exists()


def test_files_that_are_not_limited_fail_the_check(directory, server):
    file = directory / "lb.yaml"
    file.write_text(text_of(tcp_config(server(echo))))
    result = subprocess.run([sys.executable, "-c", FORBIDDEN, "landlock", BINARY, "check", "--config", file,
                             "--sandbox"], text=True, capture_output=True, timeout=100)
    assert re.search("^  not limited +read /etc/passwd$", result.stdout, re.MULTILINE)
    assert result.stdout.endswith("sandbox: holds, but for files\n") and result.returncode == 1


def test_the_check_shows_the_directories_of_the_configuration(directory, server):
    (directory / "log").mkdir()
    config = tcp_config(server(echo), listener={"access_log": {"output": f"{directory}/log/a.log"}})
    result = checked(directory, config)
    if landlock_is_there(result):
        assert result.returncode == 0, result.stdout + result.stderr
        assert re.search(f"^  {directory}/log +write, make and remove$", result.stdout, re.MULTILINE)
        assert re.search(f"^  {directory} +read$", result.stdout, re.MULTILINE)


def test_without_a_sandbox_the_check_says_so(directory, server):
    result = checked(directory, tcp_config(server(echo), runtime={"sandbox": "off"}))
    assert result.returncode == 0 and "sandbox: off\n" in result.stdout


def test_every_thread_is_inside(lb, server, tmp_path):
    proxy = lb(tcp_config(server(echo), runtime={"workers": 3},
                          listener={"access_log": {"output": str(tmp_path / "a.log")}},
                          admin={"address": f"unix:{tmp_path}/adm", "state_file": str(tmp_path / "s")}))
    assert proxy.connect().asks(b"hello") == b"hello"
    proxy.wait_log("sandbox: .*system calls")
    names = {"lb-worker-0", "lb-worker-2", "lb-state", "lb-access-log"}  # which each gives itself
    wait_until(lambda: names <= {one["Name"] for one in threads(proxy)}, "all threads run")
    for one in threads(proxy):
        assert one["NoNewPrivs"] == "1" and one["Seccomp"] == "2", one["Name"]
        for which in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
            if which != "CapBnd" or os.geteuid() == 0:
                assert int(one[which], 16) & ~LOW_PORTS == 0, (one["Name"], which)
    assert ("still root by name" in proxy.log()) == (os.geteuid() == 0)
    # Not dumpable: its memory is root's.
    assert os.stat(f"/proc/{proxy.process.pid}/mem").st_uid == 0


def test_where_it_is_forbidden_lb_runs_without_and_says_so_once(lb, server):
    proxy = lb(tcp_config(server(echo)), inside=(sys.executable, "-c", FORBIDDEN, "all"))
    assert proxy.connect().asks(b"hello") == b"hello"
    proxy.wait_log("ready: ")
    warnings = [line for line in proxy.log().splitlines() if "sandbox: not whole" in line]
    assert len(warnings) == 1
    assert "no Landlock" in warnings[0] and "no seccomp" in warnings[0]
    assert int(threads(proxy)[0]["CapEff"], 16) & ~LOW_PORTS == 0  # what can be given up is


def test_without_copies_of_the_name_files_names_are_resolved_all_the_same(lb, server):
    one = server(echo)
    proxy = lb(tcp_config(f"localhost:{one.address.rpartition(':')[2]}"),
               inside=(sys.executable, "-c", FORBIDDEN, "memfd"))
    assert proxy.connect().asks(b"hello") == b"hello"
    assert "sandbox: not whole on this machine: cannot copy /etc/hosts: " in proxy.log()


def test_switched_off_nothing_is_given_up(lb, server):
    proxy = lb(tcp_config(server(echo), runtime={"sandbox": "off"}))
    assert {one["Seccomp"] for one in threads(proxy)} == {threads_of_this_process()}


def threads_of_this_process():
    return re.search(r"^Seccomp:\t(\d)$", pathlib.Path("/proc/self/status").read_text(), re.MULTILINE)[1]


SCRIPT = {"type": "script", "command": ["/bin/true"], "interval": "50ms", "rise": 1}


@pytest.mark.parametrize("place, exposed", [(".", "lb.yaml"), ("scripts", "scripts/check.sh")])
def test_a_log_beside_what_runs_outside_is_told(lb, server, directory, place, exposed):
    (directory / "scripts").mkdir()
    script = directory / "scripts/check.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    config = tcp_config(server(echo), pool={"health_check": {**SCRIPT, "command": [str(script)]}},
                        log={"output": str(directory / place / "lb.log")})
    result = checked(directory, config)
    if not landlock_is_there(result):
        pytest.skip("a kernel without Landlock")
    assert re.search(f"^  WORKS +write {directory / exposed}$", result.stdout, re.MULTILINE)
    assert result.returncode == 1 and result.stdout.endswith("sandbox: DOES NOT HOLD\n")
    assert not list(directory.rglob("*proof"))
    proxy = lb(config, arguments=("--config", str(directory / "lb.yaml")))
    assert proxy.connect().asks(b"hello") == b"hello"
    told = re.compile(f"warning.*may write to the directory of {directory / exposed}[ ,]")
    wait_until(lambda: told.search((directory / place / "lb.log").read_text()), "a warning")


def test_what_lb_may_write_itself_brings_no_new_command(lb, server, directory):
    one = server(echo)
    file = directory / "lb.yaml"
    config = tcp_config(one, pool={"health_check": SCRIPT}, log={"output": str(directory / "lb.log")})
    log = lambda: (directory / "lb.log").read_text()
    file.write_text(text_of(config))
    proxy = lb(config, arguments=("--config", str(file)))
    other = {**SCRIPT, "command": ["/bin/echo", "new"]}
    file.write_text(text_of({**config, "pools": {"back": {"servers": [one.address], "health_check": other}}}))
    proxy.signal(signal.SIGHUP)
    wait_until(lambda: "a command of a script check is new" in log(), "it is refused")
    # The start's command goes on, with another interval.
    more = {**SCRIPT, "interval": "60ms"}
    file.write_text(text_of({**config, "pools": {"back": {"servers": [one.address], "health_check": more}}}))
    proxy.signal(signal.SIGHUP)
    wait_until(lambda: "lb.yaml: reloaded" in log(), "it is taken up")
    wait_until(lambda: "back/" in log() and " is healthy" in log(), "the check is made")
    assert "names no such command" not in log()


@pytest.mark.parametrize("key, value", [("sandbox", "off"), ("user", "nobody")])
def test_it_is_made_at_start_alone(lb, server, key, value):
    config = tcp_config(server(echo), runtime={"workers": 1})
    proxy = lb(config)
    proxy.reload({**config, "runtime": {"workers": 1, key: value}})
    proxy.wait_log(f"runtime.{key}: takes effect at start; restart to change it")


def test_unix_sockets_come_and_go(lb, server, directory):
    config = tcp_config(server(echo), address=f"unix:{directory}/one")
    proxy = lb(config)
    config["listeners"]["front"]["address"] = f"unix:{directory}/two"
    proxy.reload(config)
    assert proxy.connect(f"unix:{directory}/two").asks(b"hello") == b"hello"
    wait_until(lambda: not (directory / "one").exists(), "the old socket is gone")


@AS_ROOT
def test_root_becomes_the_user_that_it_is_told(lb, server, directory):
    directory.chmod(0o777)
    one = server(echo)
    config = tcp_config(one, address=[f"127.0.0.1:{free_port()}", f"unix:{directory}/lb.sock"],
                        runtime={"user": "nobody", "workers": 2}, log={"output": f"{directory}/lb.log"})
    proxy = lb(config, inside=OPEN_TO_ALL)
    nobody = os.stat(directory / "lb.log").st_uid
    assert nobody != 0
    for thread in threads(proxy):
        assert set(thread["Uid"].split()) == {str(nobody)}
        assert int(thread["CapEff"], 16) == LOW_PORTS
    assert proxy.connect().asks(b"hello") == b"hello"
    # The socket is for the group of the user.
    assert stat.S_ISSOCK(os.stat(directory / "lb.sock").st_mode)
    assert os.stat(directory / "lb.sock").st_gid == os.stat(directory / "lb.log").st_gid
    # Its log can be rotated.
    (directory / "lb.log").rename(directory / "lb.log.1")
    proxy.signal(signal.SIGUSR1)
    wait_until((directory / "lb.log").exists, "a new log")
    # Not where the user may make none.
    directory.chmod(0o755)
    (directory / "lb.log").rename(directory / "lb.log.2")
    proxy.signal(signal.SIGUSR1)
    hint = "cannot reopen the log: .*Permission denied \\(in the sandbox a file must be open to the user"
    wait_until(lambda: re.search(hint, (directory / "lb.log.2").read_text()), "it is told why")


@AS_ROOT
def test_a_low_port_can_be_opened_on_reload_by_the_user(lb, server, namespace):
    machine = namespace()
    one = server(echo)
    config = tcp_config(one, address="127.0.0.1:1080", runtime={"user": "nobody"})
    proxy = lb(config, inside=(*machine.inside, *OPEN_TO_ALL))
    config["listeners"]["front"]["address"] = ["127.0.0.1:1080", "127.0.0.1:80"]
    seen = proxy.log()
    proxy.reload(config)
    proxy.wait_log("lb.yaml: reloaded")
    assert "Permission denied" not in proxy.log()[len(seen):]


@AS_ROOT
def test_an_address_that_overlaps_can_be_opened_by_the_user(lb, server):
    port = free_port()
    config = tcp_config(server(echo), address=f":{port}", runtime={"user": "nobody"})
    proxy = lb(config, inside=OPEN_TO_ALL)
    config["listeners"]["front"]["address"] = f"127.0.0.1:{port}"
    proxy.reload(config)
    proxy.wait_log("lb.yaml: reloaded")
    assert proxy.connect(f"127.0.0.1:{port}").asks(b"hello") == b"hello"


@AS_ROOT
def test_what_the_user_cannot_write_stops_the_start(lb, server, tmp_path):
    (tmp_path / "log").mkdir(mode=0o755)
    proxy = lb(tcp_config(server(echo), runtime={"user": "nobody"},
                          log={"output": str(tmp_path / "log/lb.log")}), ready=False,
               inside=OPEN_TO_ALL)
    proxy.exit_code = 1
    assert proxy.wait_end() == 1
    assert "log.output: " in proxy.log() and "Permission denied" in proxy.log()
    assert not (tmp_path / "log/lb.log").exists()


def closed_files(directory, authority, one):
    """{what: (a configuration that names it, its file)} of files that are read, one of them in each."""
    own = directory / "own"
    issued = {key: shutil.copy(path, directory) for key, path in authority.issue("own", "own.example").items()}
    ca = shutil.copy(authority.ca, directory)
    own.write_text("127.0.0.1 secret, secret, secret\n")
    network = directory / "list"
    network.write_text("127.0.0.1\n")
    jwt = {"shop": {"algorithms": ["HS256"], "secret_file": str(own)}}
    redis = {"type": "redis", "password_file": str(own)}
    return {
        "key": (tcp_config(one, listener={"tls": {"certificates": [issued]}}), issued["key"]),
        "ca": (tcp_config(one, pool={"tls": {"ca": ca}}), ca),
        "jwt": (http_config(one, pool={"sticky": {"by": "jwt", "jwt": "shop"}}, jwt=jwt), own),
        "list": (tcp_config(one, listener={"allow": [{"file": str(network)}]}), network),
        "password_file": (tcp_config(one, pool={"health_check": redis}), own),
    }


@AS_ROOT
@pytest.mark.parametrize("what", ["key", "ca", "jwt", "list", "password_file"])
def test_what_the_user_cannot_read_stops_the_start(lb, server, directory, authority, what):
    directory.chmod(0o755)
    config, file = closed_files(directory, authority, server(echo))[what]
    os.chmod(file, 0o600)
    config["runtime"] = {"user": "nobody"}
    proxy = lb(config, ready=False, inside=OPEN_TO_ALL)
    proxy.exit_code = 1
    assert proxy.wait_end() == 1
    assert f"cannot read {file} as nobody: Permission denied" in proxy.log()
    assert not any("READY=1" in notice for notice in proxy.notices())
    result = checked(directory, config)
    assert result.returncode == 1
    assert re.search(f"^  REFUSED +read {file}: Permission denied$", result.stdout, re.MULTILINE)
    # Open to the user, nothing else is in the way.
    os.chmod(file, 0o644)
    lb(config, inside=OPEN_TO_ALL)


@AS_ROOT
def test_only_root_can_become_another(lb, server):
    proxy = lb(tcp_config(server(echo), runtime={"user": "daemon"}), ready=False,
               inside=(*OPEN_TO_ALL, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"))
    proxy.exit_code = 1
    assert proxy.wait_end() == 1
    assert "runtime.user: only root can become the user 'daemon'" in proxy.log()


def test_a_bad_start_still_says_why(lb, server):
    one = server(echo)
    proxy = lb(tcp_config(one, address=one.address), ready=False)
    proxy.exit_code = 1
    assert proxy.wait_end() == 1
    assert "listeners.front.address: " in proxy.log()
    assert not refuses(one.address)
