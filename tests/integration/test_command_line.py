# SPDX-License-Identifier: MIT
"""lb check, lb --version, exit codes, and what a wrong file is told."""

import os
import re

import pytest
from lbtest import names_itself, run_lb, tcp_config

GOOD = """\
listeners:
  front: {address: "127.0.0.1:9", protocol: tcp, pool: back}
pools:
  back: {servers: [127.0.0.1:9]}
"""


@pytest.fixture
def check(tmp_path):
    """check(yaml): runs lb check on a file lb.yaml that holds this."""

    def run(yaml, **options):
        (tmp_path / "lb.yaml").write_text(yaml)
        return run_lb("check", "--config", "lb.yaml", cwd=tmp_path, **options)

    return run


@pytest.mark.fast
def test_version_is_a_line_on_stdout():
    done = run_lb("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"lb \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.fast
@pytest.mark.parametrize("arguments", [["--nonsense"], ["nonsense"], ["check", "--config"]])
def test_wrong_usage_ends_with_2(arguments):
    done = run_lb(*arguments)
    assert done.returncode == 2
    assert done.stderr and not done.stdout


@pytest.mark.fast
def test_help_is_no_error():
    done = run_lb("--help")
    assert done.returncode == 0
    assert "--config" in done.stdout and "check" in done.stdout


@pytest.mark.fast
def test_a_good_file_is_ok(check):
    done = check(GOOD)
    assert (done.returncode, done.stdout, done.stderr) == (0, "lb.yaml: ok\n", "")


@pytest.mark.fast
def test_a_file_that_is_not_there_is_named(tmp_path):
    for arguments in (["check", "--config", "none.yaml"], ["--config", "none.yaml"]):
        done = run_lb(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "none.yaml" in done.stderr and "No such file" in done.stderr


def places_of_marks(yaml):
    """Removes each "▸" from a text; returns the text and the line:column where each one stood."""
    places = []
    while (at := yaml.find("▸")) >= 0:
        places.append(f"{yaml.count(chr(10), 0, at) + 1}:{at - yaml.rfind(chr(10), 0, at)}")
        yaml = yaml[:at] + yaml[at + 1 :]
    return yaml, places


@pytest.mark.fast
@pytest.mark.parametrize("old, new, expected", [
    ("protocol: tcp", "▸protocl: tcp", "listeners.front.protocl: unknown key; did you mean 'protocol'?"),
    ("pool: back", "pool: ▸bakc", "listeners.front.pool: "),
    ("servers:", "balance: ▸fastest, servers:", "pools.back.balance: "),
    ("127.0.0.1:9]", "{address: 127.0.0.1:9, weight: ▸1001}]", "pools.back.servers[0].weight: "),
    ("back: {servers: [127.0.0.1:9]}", "▸back: {balance: random}", "pools.back: "),
    ("back: {", "back: {timeouts: {connect: ▸5}, ", "pools.back.timeouts.connect: "),
    ("pools:", "pools: {}\nlog: {level: info}\n▸pools:", "pools: duplicate key"),
    ("front: {", "front: {tls: {certificates: ▸[]}, ", "listeners.front.tls.certificates: "),
    ('"127.0.0.1:9"', '▸"${LB_TEST_UNSET}"', "listeners.front.address: "),
])
def test_a_mistake_is_told_by_line_column_and_path(check, old, new, expected):
    assert old in GOOD
    yaml, places = places_of_marks(GOOD.replace(old, new, 1))
    done = check(yaml)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"lb.yaml:{places[0]}: {expected}" in done.stderr


@pytest.mark.fast
def test_all_mistakes_are_told_in_one_run_in_the_order_of_the_file(check):
    yaml, places = places_of_marks("""\
listeners:
  front: {address: ▸nowhere, protocol: tcp, pool: back}
pools:
  back:
    servers:
      - {address: 127.0.0.1:9, ▸wieght: 3}
      - {address: 127.0.0.2:9, max_connections: ▸many}
""")
    done = check(yaml)
    assert done.returncode == 2
    told = [line.split(": ")[:2] for line in done.stderr.splitlines()]
    assert told == [
        [f"lb.yaml:{places[0]}", "listeners.front.address"],
        [f"lb.yaml:{places[1]}", "pools.back.servers[0].wieght"],
        [f"lb.yaml:{places[2]}", "pools.back.servers[1].max_connections"],
    ]


@pytest.mark.fast
def test_a_syntax_error_stands_alone(check):
    done = check("listeners:\n  front: {address: [\n")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert re.match(r"lb\.yaml:\d+:\d+: ", done.stderr)


@pytest.mark.fast
def test_the_environment_fills_in_values(check):
    yaml = GOOD.replace("127.0.0.1:9]", "\"${LB_TEST_SERVER}\", \"${LB_TEST_NONE:-127.0.0.3:9}\"]")
    assert check(yaml, env={"LB_TEST_SERVER": "127.0.0.2:9"}).returncode == 0
    assert check(yaml, env={"LB_TEST_SERVER": "nonsense"}).returncode == 2


@pytest.mark.fast
def test_nothing_starts_from_a_wrong_file(tmp_path):
    (tmp_path / "lb.yaml").write_text(GOOD.replace("protocol", "protocl"))
    done = run_lb("--config", "lb.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert re.match(r"lb\.yaml:2:\d+: listeners\.front\.protocl: unknown key", done.stderr)


@pytest.mark.fast
def test_closed_standard_descriptors_are_nobody_elses(lb, server):
    """What lb opens first would take their numbers, and the log would go to a client."""
    config = tcp_config({"name": "a", "address": server(names_itself("a"))})
    process = lb(config, inside=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"))
    with process.connect() as client:
        assert client.receive_line() == b"a\n"
    assert {os.readlink(f"/proc/{process.process.pid}/fd/{number}") for number in range(3)} == {"/dev/null"}
