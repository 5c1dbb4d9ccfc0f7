# SPDX-License-Identifier: MIT
"""What the integration tests speak with: the real lb, servers behind it, clients in front of it."""

from lbtest.admin import Admin
from lbtest.background import in_background
from lbtest.bulk import receive_bulk, send_bulk
from lbtest.certificates import Authority, s_client
from lbtest.config import tcp_config
from lbtest.connection import Connection, connect, refuses
from lbtest.fake import (FakeServer, echo, hears, hears_times, names_itself, reset_after, resets, silent, sink,
                         source)
from lbtest.namespace import Namespace
from lbtest.ports import free_port, has_ipv6, wait_until
from lbtest.process import BINARY, LbProcess, run_lb
from lbtest.real import MariadbServer, PostgresServer, RedisServer

__all__ = [
    "Admin", "Authority", "BINARY", "Connection", "FakeServer", "LbProcess", "MariadbServer", "Namespace", "PostgresServer",
    "RedisServer", "connect", "echo", "free_port", "has_ipv6", "hears", "hears_times", "in_background", "names_itself",
    "receive_bulk", "refuses", "reset_after", "resets", "run_lb", "s_client", "send_bulk", "silent", "sink", "source",
    "tcp_config", "wait_until",
]
