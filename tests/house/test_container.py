# SPDX-License-Identifier: MIT
"""Dockerfile and compose.yaml, as far as they can be checked without docker."""

import os
import re
import subprocess

import yaml
from tree import ROOT

BINARY = os.environ.get("LB_BINARY", str(ROOT / "build/release/lb"))


def instructions():
    """[(word, rest)] of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = text.replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def stages():
    found = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_the_image_has_nothing_of_the_build_but_the_package():
    built, image = stages()
    name = re.fullmatch(r"debian:\d+ AS (\w+)", built[0][1])[1]
    assert re.fullmatch(r"debian:\d+-slim", image[0][1])
    assert not [rest for word, rest in image if word in ("COPY", "ADD")]
    mounts = re.findall(r"--mount=type=bind,from=(\w+),source=(\S+),target=", str(image))
    assert mounts == [(name, "/src/build/packages")]  # where scripts/package puts it
    assert "build/packages" in (ROOT / "scripts/package").read_text()


def test_what_is_copied_is_there():
    for word, rest in instructions():
        if word == "COPY":
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source


def test_it_does_not_run_as_root():
    users = [rest for word, rest in stages()[-1] if word == "USER"]
    assert users and re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    uid, gid = users[-1].split(":")
    made = str(stages()[-1])
    assert f"--uid {uid}" in made and f"--gid {gid}" in made


def test_the_example_is_a_configuration_that_lb_takes(tmp_path):
    file = tmp_path / "lb.yaml"
    file.write_text(compose()["configs"]["balancer"]["content"].replace("$$", "$"))
    done = subprocess.run([BINARY, "check", "--config", str(file)], text=True, timeout=30,
                          capture_output=True, env={"LB_ADMIN_TOKEN": "only-for-trying-out"})
    assert (done.returncode, done.stderr) == (0, "")


def test_the_ports_of_the_example_lead_to_its_listeners():
    text = compose()
    config = yaml.safe_load(text["configs"]["balancer"]["content"])
    ports = {listener["address"].lstrip(":") for listener in config["listeners"].values()}
    assert {port.split(":")[-1] for port in text["services"]["lb"]["ports"]} == ports
    servers = {server["address"].split(":")[0] for server in config["pools"]["example"]["servers"]}
    assert servers == set(text["services"]) - {"lb"}
    for name in servers:
        assert text["services"][name]["hostname"] == name
