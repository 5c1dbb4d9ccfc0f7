# SPDX-License-Identifier: MIT
"""Checks that run a script: what it is told, what its end means, and that nothing of it is left."""

import os
import pathlib

import pytest
from lbtest import echo, names_itself, tcp_config, wait_until

FAST = {"interval": "50ms", "fast_interval": "50ms", "rise": 1, "fall": 1, "timeout": "5s"}


def script_check(command, **keys):
    return {"health_check": {"type": "script", "command": command, **FAST, **keys}}


@pytest.fixture
def script(tmp_path):
    """script(text): the path of an executable file."""

    def write(text, name="check.sh", mode=0o755):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(mode)
        return str(path)

    return write


def children(pid):
    try:
        return [int(child) for child in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has just ended


def processes_below(pid):
    found = []
    for child in children(pid):
        found += [child, *processes_below(child)]
    return found


def is_alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


@pytest.mark.fast
def test_the_exit_status_decides(lb, server, script, tmp_path):
    down = tmp_path / "down"
    proxy = lb(tcp_config({"name": "one", "address": server(echo)}, pool=script_check(
        [script('test ! -e "$1" && echo all is well || { echo went away; exit 2; }'), str(down)])))
    proxy.wait_log("back/one is healthy .*: all is well\n")
    down.touch()
    proxy.wait_log("back/one is unhealthy .*: exit status 2: went away\n")
    down.unlink()
    proxy.wait_log(r"back/one is healthy \(was unhealthy\)")


@pytest.mark.fast
def test_a_script_knows_whom_it_checks(lb, server, script):
    one = server(echo)
    host, _, port = one.address.rpartition(":")
    tell = script('echo "$LB_SERVER_NAME $LB_SERVER_ADDRESS $LB_SERVER_HOST $LB_SERVER_PORT"')
    proxy = lb(tcp_config({"name": "one", "address": one}, pool=script_check([tell])))
    proxy.wait_log(f"back/one is healthy .*: one {one.address} {host} {port}\n")
    proxy.reload(tcp_config({"name": "two", "address": "[::1]:9"},
                            pool=script_check([tell], port=99)))
    proxy.wait_log(r"back/two is healthy .*: two \[::1\]:99 ::1 99\n")


@pytest.mark.fast
def test_each_server_is_judged_by_its_own_run(lb, server, script):
    a, b = server(names_itself("a")), server(names_itself("b"))
    proxy = lb(tcp_config({"name": "a", "address": a}, {"name": "b", "address": b},
                          pool=script_check([script('test "$LB_SERVER_NAME" = b')])))
    proxy.wait_log("back/a is unhealthy")
    proxy.wait_log("back/b is healthy")
    wait_until(lambda: {proxy.connect().receive_line() for _ in range(4)} == {b"b\n"}, "only b serves")


@pytest.mark.fast
def test_a_script_that_cannot_run_says_why(lb, server, script, tmp_path):
    server_at = server(echo).address
    for command, why in (
            (str(tmp_path / "missing"), "No such file or directory"),
            (script("exit 0", "plain", 0o644), "Permission denied")):
        proxy = lb(tcp_config(server_at, pool=script_check([command])))
        proxy.wait_log(f"is unhealthy .*: exit status 127: cannot run {command}: {why}\n")


@pytest.mark.fast
def test_a_script_that_hangs_is_killed_with_all_that_it_started(lb, server, script, tmp_path):
    pids = tmp_path / "pids"
    proxy = lb(tcp_config(server(echo), pool=script_check(
        [script(f"sleep 1000 & echo $! $$ >>{pids}; sleep 1000")], timeout="1s")))
    proxy.wait_log("is unhealthy .*: timeout")
    wait_until(lambda: pids.exists() and "\n" in pids.read_text(), "one has begun")
    first = [int(pid) for pid in pids.read_text().splitlines()[0].split()]
    wait_until(lambda: not any(is_alive(pid) for pid in first), "they are gone")


@pytest.mark.fast
def test_a_script_that_prints_a_megabyte_is_killed(lb, server, script):
    proxy = lb(tcp_config(server(echo), pool=script_check([script("yes")])))
    proxy.wait_log("is unhealthy .*: printed more than 64 KiB: y\n")


@pytest.mark.fast
def test_a_hanging_script_delays_no_other_check(lb, server, script):
    hang = script('test "$LB_SERVER_NAME" = good || sleep 1000')
    bad = [{"name": f"bad{i}", "address": f"127.0.0.1:{9000 + i}"} for i in range(5)]
    proxy = lb(tcp_config(*bad, {"name": "good", "address": server(echo)},
                          pool=script_check([hang], timeout="1m")))
    proxy.wait_log("back/good is healthy")  # in less than a minute


@pytest.mark.fast
def test_nothing_is_left_after_many_runs(lb, server, script, tmp_path):
    count = tmp_path / "count"
    proxy = lb(tcp_config(server(echo), server(echo), pool=script_check(
        [script(f"echo x >>{count}; sleep 1000 & exit 0")], interval="10ms")))
    wait_until(lambda: count.exists() and len(count.read_text()) > 40, "some runs")
    fds = proxy.fd_count()
    wait_until(lambda: len(count.read_text()) > 200, "many more")
    wait_until(lambda: proxy.fd_count() <= fds, f"back to {fds} descriptors")
    helper, = children(proxy.process.pid)
    wait_until(lambda: len(os.listdir(f"/proc/{helper}/fd")) <= 5 + 4, "few descriptors in the helper")
    # What runs is what has just begun.
    wait_until(lambda: len(processes_below(helper)) < 10, "few processes")
    proxy.reload(tcp_config(server(echo)))
    wait_until(lambda: not processes_below(helper), "no process is left, dead or alive")


@pytest.mark.fast
@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_scripts_end_with_lb(lb, server, script, tmp_path, end):
    pids = tmp_path / "pids"
    proxy = lb(tcp_config(server(echo), pool=script_check(
        [script(f"echo $$ >>{pids}; sleep 1000")])))
    wait_until(lambda: pids.exists() and pids.read_text(), "it runs")
    helper, = children(proxy.process.pid)
    pid = int(pids.read_text().split()[0])
    getattr(proxy, end)()
    proxy.wait_end()
    wait_until(lambda: not is_alive(pid) and not is_alive(helper), "all are gone")


@pytest.mark.fast
def test_a_reload_may_bring_the_first_script(lb, server, script):
    one = server(echo)
    proxy = lb(tcp_config(one))
    proxy.reload(tcp_config(one, pool=script_check([script("echo hello from the script")])))
    proxy.wait_log("is healthy .*: hello from the script\n")
    proxy.reload(tcp_config(one, pool=script_check([script("echo no; exit 1", "other.sh")])))
    proxy.wait_log("is unhealthy .*: exit status 1: no\n")


@pytest.mark.fast
def test_a_script_has_no_descriptor_of_lb(lb, server, script, tmp_path):
    seen = tmp_path / "seen"
    proxy = lb(tcp_config(server(echo), pool=script_check(
        [script(f"ls -l /proc/$$/fd >{seen}.all; grep -o '[0-9]* -> .*' {seen}.all >{seen}.new; "
                f"mv {seen}.new {seen}")])))
    proxy.wait_log("is healthy")
    numbers = {line.split()[0]: line.split()[2] for line in seen.read_text().splitlines()}
    assert numbers["0"] == "/dev/null" and numbers["2"].startswith("pipe:")
    # The shell has the script itself open, and keeps its output while it lends out the place.
    others = set(numbers.values()) - {"/dev/null", numbers["2"], f"{seen}.all"}
    assert all(other.endswith("/check.sh") for other in others)
