# SPDX-License-Identifier: MIT
"""The systemd unit: systemd reads it without a complaint, and keeps the service well confined."""

import os
import re
import subprocess

import pytest
from tree import ROOT

UNIT = ROOT / "systemd/lb.service"
BINARY = os.environ.get("LB_BINARY", str(ROOT / "build/release/lb"))


@pytest.fixture
def unit(tmp_path):
    """The unit with the binary that was just built in place of the installed one."""
    copy = tmp_path / "lb.service"
    copy.write_text(UNIT.read_text().replace("/usr/bin/lb", BINARY))
    return copy


def systemd_analyze(*arguments):
    return subprocess.run(["systemd-analyze", "--no-pager", *arguments], text=True, timeout=30,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_systemd_has_no_complaint(unit):
    done = systemd_analyze("verify", "--man=no", str(unit))
    about_us = [line for line in done.stdout.splitlines() if "lb.service" in line]
    assert done.returncode == 0 and not about_us, done.stdout


def test_the_service_is_confined(unit):
    done = systemd_analyze("security", "--offline=yes", str(unit))
    exposure = re.search(r"Overall exposure level for lb\.service: ([\d.]+)", done.stdout)
    assert exposure, done.stdout
    assert float(exposure[1]) <= 2.0, done.stdout


def test_stopping_leaves_the_time_that_draining_takes():
    text = UNIT.read_text()
    assert int(re.search(r"^TimeoutStopSec=(\d+)s$", text, re.MULTILINE)[1]) > 30
