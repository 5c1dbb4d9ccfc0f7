# SPDX-License-Identifier: MIT
"""The shortest way to say what most tests need. JSON is YAML, so a configuration is plain data."""

import json

from lbtest.ports import free_port


def tcp_config(*servers, address=None, listener=None, pool=None, **top):
    """One TCP listener in front of one pool. A server is a FakeServer, an address, or a map of
    lb.yaml. Checks are off unless the pool asks for them: a test counts its own connections."""
    return {
        "listeners": {
            "front": {
                "address": address or f"127.0.0.1:{free_port()}",
                "protocol": "tcp",
                "pool": "back",
                **(listener or {}),
            }
        },
        "pools": {
            "back": {
                "health_check": "off",
                "servers": [entry(server) for server in servers],
                **(pool or {}),
            }
        },
        **top,
    }


def entry(server):
    """A server as lb.yaml lists it."""
    if isinstance(server, dict):
        return {key: getattr(value, "address", value) for key, value in server.items()}
    return getattr(server, "address", server)


def text_of(config):
    """What to write into lb.yaml."""
    return config if isinstance(config, str) else json.dumps(config, indent=2) + "\n"


def first_address(config):
    """Where a client finds the first listener of a configuration given as data."""
    if isinstance(config, str):
        return None
    address = next(iter(config["listeners"].values()))["address"]
    address = address[0] if isinstance(address, list) else address
    for everywhere, loopback in ((":", "127.0.0.1:"), ("0.0.0.0:", "127.0.0.1:"), ("[::]:", "[::1]:")):
        if address.startswith(everywhere):
            return loopback + address.rpartition(":")[2]
    return address
