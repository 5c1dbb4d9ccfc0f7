# SPDX-License-Identifier: MIT
"""lb demo: three servers, a balancer and clients, from nothing."""

import re
import signal
import socket
import subprocess

import pytest
from lbtest import BINARY, connect, free_port, run_lb, wait_until

NAMES = ("red", "green", "blue")
# "   0:01     199     6       0   0.35 ms   0.57 ms    34% healthy ..."
ROW = re.compile(r"^ +(?P<time>\d+:\d\d) +(?P<rate>\d+) +(?P<open>\d+) +(?P<failed>\d+)"
                 r" +\d+\.\d\d ms +\d+\.\d\d ms(?P<servers>( +\d+% \w+){3}) *$", re.MULTILINE)


class Row:
    """One line of the running summary."""

    def __init__(self, match):
        self.time = match["time"]
        self.rate = int(match["rate"])
        self.open = int(match["open"])
        self.failed = int(match["failed"])
        servers = re.findall(r"(\d+)% (\w+)", match["servers"])
        self.share = dict(zip(NAMES, (int(share) for share, _ in servers)))
        self.state = dict(zip(NAMES, (state for _, state in servers)))


def rows(output):
    return [Row(match) for match in ROW.finditer(output)]


def served(output):
    """{server: connections} of the closing words."""
    words = re.search(r"^Connections served: (.*)\.$", output, re.MULTILINE)
    return {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", words[1])}


@pytest.fixture
def demo(lb):
    """demo(): lb demo on a free port, ready."""

    def start(*arguments):
        port = free_port()
        process = lb("", arguments=("demo", "--port", str(port), *arguments))
        process.address = f"127.0.0.1:{port}"
        return process

    return start


def test_every_server_has_its_share_and_no_request_fails():
    port = free_port()
    done = run_lb("demo", "--seconds", 4, "--port", port)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"/dev/tcp/127.0.0.1/{port};" in done.stdout
    shown = rows(done.stdout)
    # A machine that is busy for a second may leave a line out, or little to share.
    times = [row.time for row in shown]
    assert set(times) <= {"0:01", "0:02", "0:03", "0:04"} and len(times) >= 2 and sorted(set(times)) == times
    for row in shown:
        assert row.failed == 0
        assert set(row.state.values()) == {"healthy"}
        assert row.rate < 50 or all(20 <= share <= 45 for share in row.share.values()), row.share
    assert max(row.rate for row in shown) >= 50 and max(row.open for row in shown) > 0
    ran, answered = re.search(r"ran for (\S+): (\d+) requests answered, 0 failed", done.stdout).groups()
    assert ran == "0:04"
    counts = served(done.stdout)
    assert set(counts) == set(NAMES)
    # The long-lived connections come on top.
    assert int(answered) <= sum(counts.values()) <= int(answered) + 10


@pytest.mark.fast
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(demo, number):
    process = demo()
    wait_until(lambda: rows(process.output()), "a line of the summary")
    process.signal(number)
    assert process.wait_end() == 0
    assert re.search(r"^The demo ran for .*, 0 failed, ", process.output(), re.MULTILINE)
    assert sum(served(process.output()).values()) > 0
    assert process.log() == ""


@pytest.mark.fast
def test_it_answers_who_tries_it_by_hand(demo):
    process = demo()
    answers = set()
    for _ in range(3):
        client = process.connect()
        client.send(b"hello\n")
        answers.add(client.receive_line())
        client.send(b"two\r\nlines\nand what has no end").finish()
        name = client.receive_line().partition(b":")[0]
        assert client.receive_all() == b"%b: lines\n%b: and what has no end\n" % (name, name)
    assert answers <= {b"%b: hello\n" % name.encode() for name in NAMES}


@pytest.mark.fast
def test_a_line_that_never_ends_is_cut(demo):
    client = demo().connect()
    client.send(b"x" * 10_000)
    assert client.ends()


@pytest.mark.fast
def test_a_client_that_stays_does_not_hold_it_up(demo):
    process = demo()
    client = process.connect()
    client.send(b"hello\n")
    client.receive_line()
    process.terminate()
    assert process.wait_end() == 0
    assert client.ends()


@pytest.mark.fast
def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_lb("demo", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"lb demo: .*127\.0\.0\.1:{port}: .*--port\n", done.stderr)


@pytest.mark.fast
def test_without_a_port_it_takes_the_next_free_one():
    with socket.socket() as other:
        try:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", 8000))
            other.listen()
        except OSError:
            pass  # taken already
        done = run_lb("demo", "--seconds", 1)
    assert (done.returncode, done.stderr) == (0, "")
    port = int(re.match(r"Port 8000 is taken; port (\d+) is used instead\.\n", done.stdout)[1])
    assert port > 8000
    assert f"/dev/tcp/127.0.0.1/{port};" in done.stdout


@pytest.mark.fast
@pytest.mark.parametrize("arguments", [
    ["--port", "0"], ["--port", "65536"], ["--port", "http"], ["--seconds", "0"], ["more"],
])
def test_wrong_usage_ends_with_2(arguments):
    done = run_lb("demo", *arguments)
    assert done.returncode == 2
    assert done.stderr and not done.stdout


@pytest.mark.fast
def test_it_ends_when_nobody_reads_it():
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", BINARY, "demo", "--port",
                           str(free_port())], stdout=subprocess.PIPE) as process:
        assert b"balancer" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0


def test_the_others_take_over_from_a_server_that_is_stopped():
    done = run_lb("demo", "--seconds", 18, "--port", free_port())
    assert (done.returncode, done.stderr) == (0, "")
    shown = rows(done.stdout)
    assert re.search(r"^ +0:1[01]   red is stopped: ", done.stdout, re.MULTILINE)
    (*_, down) = (row for row in shown if "0:11" < row.time <= "0:15")
    assert down.state == {"red": "unhealthy", "green": "healthy", "blue": "healthy"}
    assert down.share["red"] == 0
    assert re.search(r"^ +0:1[56]   red is started again: ", done.stdout, re.MULTILINE)
    back = shown[-1]
    assert set(back.state.values()) == {"healthy"}
    assert back.share["red"] >= 20
    # At most what was open to it just then.
    assert back.failed == down.failed <= 6
    cut = int(re.search(r"^(\d+) long-lived connections were cut", done.stdout, re.MULTILINE)[1])
    # A round robin gives each server two of the six, if no short connection comes in between.
    assert 1 <= cut <= 6


@pytest.mark.fast
def test_the_same_port_serves_again_after_a_run():
    port = free_port()
    for _ in range(2):
        done = run_lb("demo", "--seconds", 1, "--port", port)
        assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(ConnectionRefusedError):
        connect(f"127.0.0.1:{port}")
