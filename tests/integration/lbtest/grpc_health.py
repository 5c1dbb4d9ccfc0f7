# SPDX-License-Identifier: MIT
"""grpc_health.py PORT: grpc.health.v1.Health on 127.0.0.1, its messages written by hand."""

import concurrent.futures
import sys

import grpc

STATUS = {b"": b"\x08\x01", b"\x0a\x04well": b"\x08\x01", b"\x0a\x03ill": b"\x08\x02"}


def check(request, context):
    if request not in STATUS:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return STATUS[request]


server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
    "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)})])
assert server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
