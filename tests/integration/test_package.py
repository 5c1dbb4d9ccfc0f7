# SPDX-License-Identifier: MIT
"""The Debian package: what is in it, and its life on a machine, from installation to purge."""

import pathlib
import re
import subprocess
import textwrap

import pytest
from lbtest import BINARY, wait_until
from lbtest.process import ROOT
from lbtest.throwaway import Throwaway, can_be_had

BUILD = pathlib.Path(BINARY).parent
UNIT = "/usr/lib/systemd/system/lb.service"
CONFIG = """
    listeners:
      web: {address: "127.0.0.1:80", protocol: http, routes: [{respond: {status: 200, body: "it works"}}]}
    pools: {spare: {servers: ["127.0.0.1:1"]}}
    log: {output: /var/log/lb/lb.log}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package of the binary under test."""
    directory = tmp_path_factory.mktemp("package")
    subprocess.run(["cpack", "--config", str(BUILD / "CPackConfig.cmake"), "-B", str(directory)],
                   check=True, timeout=150, capture_output=True)
    return next(directory.glob("lb_*.deb"))


@pytest.fixture
def machine(tmp_path, package):
    if not can_be_had():
        pytest.skip("this machine gives no overlay in a namespace of its own")
    machine = Throwaway(tmp_path)
    machine.write("/srv/lb.deb", package.read_bytes())
    # As on a machine that never saw lb.
    machine.do("rm", "-rf", "/etc/lb", "/var/lib/lb", "/var/log/lb", "/usr/bin/lb")
    yield machine
    machine.close()


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", str(package), name], check=True,
                          capture_output=True, text=True).stdout.strip()


def files(package):
    """{path: mode and owner} of the files in it."""
    listed = subprocess.run(["dpkg-deb", "--contents", str(package)], check=True,
                            capture_output=True, text=True).stdout
    rows = [line.split(maxsplit=5) for line in listed.splitlines()]
    return {row[5].lstrip("."): f"{row[0]} {row[1]}" for row in rows if not row[5].endswith("/")}


def test_it_holds_what_a_machine_needs(package):
    held = files(package)
    assert held["/usr/bin/lb"] == "-rwxr-xr-x root/root"
    for path in ("/etc/lb/lb.yaml", UNIT, "/usr/share/doc/lb/copyright",
                 "/usr/share/doc/lb/docs/configuration.md"):
        assert held[path] == "-rw-r--r-- root/root"
    wanted = [name.split()[0] for name in field(package, "Depends").split(", ")]
    assert {"adduser", "libc6", "libssl3", "libyaml-cpp0.7"} <= set(wanted)
    version = re.search(r"project\(lb VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert field(package, "Version") == version
    assert field(package, "Section") == "net" and field(package, "Description")


def start_as_the_unit_does(machine):
    """Runs the unit's command with the unit's user, rights and directories."""
    unit = machine.do("cat", UNIT)
    command = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1].split()
    user = re.search(r"^User=(.*)$", unit, re.MULTILINE)[1]
    rights = re.search(r"^AmbientCapabilities=CAP_(.*)$", unit, re.MULTILINE)[1].lower()
    bounds = re.search(r"^CapabilityBoundingSet=CAP_(.*)$", unit, re.MULTILINE)[1].lower()
    for directory in ("/run", "/var/lib", "/var/log"):
        machine.do("install", "-d", "-o", user, "-g", user, f"{directory}/{user}")
    return machine.start("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                         f"--inh-caps=-all,+{rights}", f"--ambient-caps=+{rights}",
                         f"--bounding-set=-all,+{bounds}", "--no-new-privs", *command)


def test_its_life_from_installation_to_purge(machine):
    assert "no such user" in machine.run("id", "lb")[1]
    machine.do("dpkg", "--install", "/srv/lb.deb")

    # Nothing runs: its example names servers that are not there.
    assert machine.do("lb", "check", "--config", "/etc/lb/lb.yaml") == "/etc/lb/lb.yaml: ok\n"
    assert machine.run("pgrep", "-x", "lb")[0] == 1
    assert machine.run("systemctl", "is-enabled", "lb.service")[1] == "disabled\n"
    assert machine.do("stat", "--format", "%a %U %G", "/etc/lb/lb.yaml") == "640 root lb\n"
    entry = machine.do("getent", "passwd", "lb").strip().split(":")
    assert int(entry[2]) < 1000 and entry[6].endswith("nologin")
    analysed = machine.do("systemd-analyze", "security", "--offline=yes", UNIT)
    assert float(re.search(r"exposure level for lb\.service: ([\d.]+)", analysed)[1]) <= 2.0

    # Configured, it serves a port below 1024 as a user of its own.
    machine.write("/etc/lb/lb.yaml", textwrap.dedent(CONFIG).encode())
    machine.do("systemctl", "enable", "lb.service")
    process = start_as_the_unit_does(machine)
    ask = ("curl", "--silent", "--fail", "--max-time", "5", "http://127.0.0.1/")
    wait_until(lambda: machine.run(*ask) == (0, "it works"), "an answer")
    assert machine.do("ps", "-C", "lb", "-o", "user=").split() == ["lb"]
    wait_until(lambda: "ready: 1 listener" in machine.do("cat", "/var/log/lb/lb.log"), "its log says so")

    # An upgrade leaves the file as its owner wrote it.
    machine.do("chmod", "600", "/etc/lb/lb.yaml")
    machine.do("dpkg", "--install", "/srv/lb.deb")
    assert "it works" in machine.do("cat", "/etc/lb/lb.yaml")
    assert machine.do("stat", "--format", "%a", "/etc/lb/lb.yaml") == "600\n"
    assert machine.do("systemctl", "is-enabled", "lb.service") == "enabled\n"

    machine.do("kill", "-TERM", machine.do("pgrep", "-xo", "lb").strip())
    assert process.wait(60) == 0

    # Removed, the file stays; purged, it goes too.
    machine.do("dpkg", "--remove", "lb")
    assert machine.run("test", "-e", "/usr/bin/lb")[0] == machine.run("test", "-e", UNIT)[0] == 1
    assert machine.run("test", "-e", "/etc/systemd/system/multi-user.target.wants/lb.service")[0] == 1
    assert "it works" in machine.do("cat", "/etc/lb/lb.yaml")
    machine.do("dpkg", "--purge", "lb")
    left = machine.do("sh", "-c", "ls -d /etc/lb /var/lib/lb /var/log/lb 2>/dev/null || true")
    assert left == ""
    assert "no packages found" in machine.run("dpkg-query", "--list", "lb")[1]


def test_a_reinstallation_keeps_what_was_written(machine):
    machine.do("dpkg", "--install", "/srv/lb.deb")
    machine.write("/etc/lb/lb.yaml", textwrap.dedent(CONFIG).encode())
    machine.do("dpkg", "--remove", "lb")
    machine.do("dpkg", "--install", "/srv/lb.deb")
    assert "it works" in machine.do("cat", "/etc/lb/lb.yaml")
    assert machine.do("lb", "check", "--config", "/etc/lb/lb.yaml").endswith("ok\n")
