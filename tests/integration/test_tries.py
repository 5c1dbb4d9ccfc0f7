# SPDX-License-Identifier: MIT
"""What the mark `timing` does: a late test is tried again, and counted; an lb that died, or of which a
sanitizer complained, is a failure at once."""

import pathlib
import shutil
import subprocess
import sys

import pytest
from lbtest.process import ROOT

TESTS = """
import signal
import socket

import pytest
from lbtest import FakeServer, echo, tcp_config, wait_until

pytestmark = pytest.mark.timing
tried = []


def first_try():
    tried.append(1)
    return len(tried) == 1


@pytest.fixture
def one(lb):
    return lb(tcp_config("127.0.0.1:1"))

"""
LATE = "def test_it(one):\n    assert not first_try()\n"
WAITS = "def test_it(one):\n    wait_until(lambda: not first_try(), 'it', 0)\n"
DEAF = "def test_it(one):\n    if first_try():\n        raise TimeoutError\n"
KEEPS = """def test_it(lb, server):
    client = socket.create_connection(("127.0.0.1", int(lb(tcp_config(server(echo))).address.rpartition(":")[2])))
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    assert not first_try()
"""
ALWAYS = "def test_it(one):\n    assert False\n"
WRONG = "def test_it(one):\n    if first_try():\n        raise ValueError\n"
DIES = """def test_it(one):
    if first_try():
        one.signal(signal.SIGSEGV)
        one.process.wait()
        assert False
"""
COMPLAINT = """def test_it(one):
    if first_try():
        one.terminate()
        one.wait_end()
        with open(one.log_file, "a") as log:
            log.write({!r})
        assert False
"""
SETUP = "@pytest.fixture\ndef bad():\n    assert not first_try()\n\n\ndef test_it(bad):\n    pass\n"


def run(directory, test):
    """Runs that test and adds up its results: (the lines of scripts/tally, what pytest said)."""
    results = directory / "results"
    results.mkdir()
    (directory / "test_one.py").write_text(TESTS + test)
    shutil.copy(pathlib.Path(__file__).with_name("conftest.py"), directory)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", ROOT / "tests/pytest.ini",
         f"--junitxml={results}/one.xml", directory / "test_one.py"],
        text=True, capture_output=True, timeout=100)
    (results / "stages.tsv").write_text(f"one\ttests\t{done.returncode}\t1\n")
    tally = subprocess.run([ROOT / "scripts/tally", results], text=True, capture_output=True)
    return tally.stdout.splitlines(), done


@pytest.mark.parametrize("test, retried, said", [
    (LATE, 1, "1 passed"),
    (WAITS, 1, "1 passed"),
    (DEAF, 1, "1 passed"),
    (KEEPS, 1, "1 passed"),
    (ALWAYS, 2, "assert False"),
    (WRONG, 0, "ValueError"),
    (SETUP, 0, "ERROR at setup"),
    (DIES, 0, "lb ended with -11"),
    (COMPLAINT.format("WARNING: ThreadSanitizer: data race (pid=1)\n"), 0, "a sanitizer complains"),
    (COMPLAINT.format("a system call was refused\n"), 0, "the sandbox stands in the way"),
], ids=["late", "waits", "deaf", "keeps", "always", "wrong", "setup", "dies", "complaint", "refused"])
def test_only_a_comparison_is_tried_again(tmp_path, test, retried, said):
    tally, done = run(tmp_path, test)
    assert said in done.stdout, done.stdout + done.stderr
    assert tally[-1].startswith("1 passed, 0 failed" if said == "1 passed" else "0 passed"), tally
    assert (tally[-2] == f"{retried} retried") == (retried > 0), tally
    assert done.stderr.count("is tried again") == retried


def test_too_many_tries_are_a_failure(tmp_path):
    tally, done = run(tmp_path, "@pytest.mark.parametrize('n', range(6))\ndef test_it(n):\n"
                                "    tried.append(n)\n    assert tried.count(n) > 1\n")
    assert done.returncode == 0, done.stdout
    assert tally[-3:] == ["failed: one: more than 5 retried", "6 retried", "6 passed, 1 failed"]
