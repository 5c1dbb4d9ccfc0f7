# SPDX-License-Identifier: MIT
"""What the integration tests speak with: the real lb, servers behind it, clients in front of it."""

from lbtest.background import in_background
from lbtest.bulk import receive_bulk, send_bulk
from lbtest.config import tcp_config
from lbtest.connection import Connection, connect
from lbtest.fake import FakeServer, echo, names_itself, reset_after, resets, silent, sink, source
from lbtest.namespace import Namespace
from lbtest.ports import free_port, wait_until
from lbtest.process import BINARY, LbProcess
from lbtest.real import PostgresServer, RedisServer

__all__ = [
    "BINARY", "Connection", "FakeServer", "LbProcess", "Namespace", "PostgresServer",
    "RedisServer", "connect", "echo", "free_port", "in_background", "names_itself",
    "receive_bulk", "reset_after", "resets", "send_bulk", "silent", "sink", "source",
    "tcp_config", "wait_until",
]
