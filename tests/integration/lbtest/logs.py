# SPDX-License-Identifier: MIT
"""Access logs, while they are written."""

import json


def logged(path):
    """The whole lines of a log of JSON."""
    lines = path.read_text().split("\n") if path.exists() else []
    return [json.loads(line) for line in lines[:-1]]
