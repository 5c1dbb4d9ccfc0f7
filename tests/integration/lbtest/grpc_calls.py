# SPDX-License-Identifier: MIT
"""gRPC in processes of its own, with messages of plain bytes.

grpc_calls.py serve PORT NAME     a server that says its NAME, echoes, counts and refuses
grpc_calls.py ask ADDRESS         calls it in every way; prints what came of them as JSON
"""

import collections
import concurrent.futures
import json
import sys
import time

import grpc

SERVICE = "lbtest.Calls"


def handlers(name):
    refused = set()

    def who(request, context):
        context.set_trailing_metadata((("x-who", name),))
        return name.encode() + b":" + request

    def count(request, _):
        for number in range(int(request)):
            yield b"%d" % number

    def add(requests, _):
        return b"%d" % sum(int(request) for request in requests)

    def echo(requests, _):
        yield from requests

    def sleep(request, context):
        while context.is_active():
            time.sleep(0.01)
        return request

    def refuse(_, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: \u00e4")

    def once(request, context):
        """Unavailable at first, whoever is asked."""
        if request not in refused:
            refused.add(request)
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return b"again"

    unary = grpc.unary_unary_rpc_method_handler
    return {"Who": unary(who), "Sleep": unary(sleep), "Refuse": unary(refuse), "Once": unary(once),
            "Count": grpc.unary_stream_rpc_method_handler(count),
            "Add": grpc.stream_unary_rpc_method_handler(add),
            "Echo": grpc.stream_stream_rpc_method_handler(echo)}


def serve(port, name):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers(name))])
    assert server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def failed(call):
    try:
        call()
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return None


def ask(address):
    options = [("grpc.enable_retries", 0)]  # those of lb are looked at, not those of the client
    with grpc.insecure_channel(address, options) as channel:
        def call(kind, name):
            return getattr(channel, kind)(f"/{SERVICE}/{name}")

        who = call("unary_unary", "Who")
        told = {"servers": collections.Counter()}
        for number in range(100):
            reply, done = who.with_call(b"%d" % number, timeout=10)
            server, _, rest = reply.partition(b":")
            assert rest == b"%d" % number
            assert dict(done.trailing_metadata())["x-who"] == server.decode()
            told["servers"][server.decode()] += 1
        large = bytes(range(256)) * 8000
        assert who(large, timeout=20).endswith(large)
        told["counted"] = len(list(call("unary_stream", "Count")(b"2000", timeout=20)))
        told["added"] = int(call("stream_unary", "Add")((b"%d" % i for i in range(2000)), timeout=20))
        waiting = collections.deque()

        def one_by_one():
            for number in range(100):
                while number > len(waiting):
                    time.sleep(0.0005)
                yield b"%d" % number

        for echoed in call("stream_stream", "Echo")(one_by_one(), timeout=20):
            assert int(echoed) == len(waiting)
            waiting.append(echoed)
        told["echoed"] = len(waiting)
        told["late"] = failed(lambda: call("unary_unary", "Sleep")(b"", timeout=0.3))[0]
        told["refused"] = failed(lambda: call("unary_unary", "Refuse")(b"", timeout=10))
        told["once"] = call("unary_unary", "Once")(b"a", timeout=10).decode()
        print(json.dumps(told))


if sys.argv[1] == "serve":
    serve(*sys.argv[2:])
else:
    ask(sys.argv[2])
