# SPDX-License-Identifier: MIT
"""A headless Chromium, as a person uses it who looks, clicks and types."""

import json
import os
import pathlib
import shutil
import subprocess

DASHBOARD = pathlib.Path(__file__).resolve().parents[3] / "dashboard"
CHROMIUM = "/usr/bin/chromium"


def why_not():
    """Why there can be no browser here; nothing if there can. CI must have one."""
    if not (DASHBOARD / "node_modules/playwright-core").is_dir():
        why = "what drives the browser is not installed: scripts/page --tools"
    elif not os.access(CHROMIUM, os.X_OK) or not shutil.which("node"):
        why = "there is no chromium or no node"
    else:
        return None
    assert not os.environ.get("CI"), why
    return why


class Browser:
    """One page at a time. An error is raised with the browser's own words."""

    def __init__(self):
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "node", str(DASHBOARD / "drive.mjs"), CHROMIUM],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __getattr__(self, command):
        def do(**arguments):
            line = json.dumps({"command": command, **arguments})
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            reply = json.loads(self._process.stdout.readline())
            assert "error" not in reply, f"{command} {arguments}: {reply['error']}"
            return reply["answer"]

        return do

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
