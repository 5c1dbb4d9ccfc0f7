# SPDX-License-Identifier: MIT
"""Distributed tracing: traceparent towards servers, spans towards a collector."""

import json
import re
import threading

import pytest
from lbtest import wait_until
from lbtest.http import asks, http_config, names_itself_in_http, read_message, tells_what_it_got

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """What a collector of OTLP would get. status: what it answers."""

    def __init__(self, status="200 OK"):
        self.status, self.spans, self.asked = status, [], []
        self.lock = threading.Lock()

    def __call__(self, connection):
        got = read_message(connection)
        with self.lock:
            self.asked.append(got)
            if self.status.startswith("200"):
                for resource in json.loads(got.body)["resourceSpans"]:
                    for scope in resource["scopeSpans"]:
                        self.spans += scope["spans"]
        connection.send(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n\r\n".encode())


def traced(*servers, collector, sample="100%", **options):
    config = http_config(*servers, **options)
    config["tracing"] = {"otlp": f"http://{collector.address}", "sample": sample}
    return config


def attributes(span):
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def traceparent(got):
    return re.search(rb"traceparent: (\S+)", got.body).group(1).decode()


@pytest.mark.fast
def test_a_trace_begins_here_and_its_span_is_told(lb, server):
    collected = Collector()
    proxy = lb(traced(server(tells_what_it_got()), collector=server(collected)))
    got = asks(proxy.connect(), path="/a?b=c", headers=["User-Agent: me"])
    told = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", traceparent(got))
    wait_until(lambda: collected.spans, "a span")
    span, = collected.spans
    assert (span["traceId"], span["spanId"]) == told.groups()
    assert "parentSpanId" not in span and span["kind"] == 2 and span["name"] == "GET"
    assert 0 < int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) < 20e9
    said = attributes(span)
    assert said["http.request.method"] == "GET" and said["url.path"] == "/a"
    assert said["url.query"] == "b=c" and said["http.response.status_code"] == "200"
    assert said["user_agent.original"] == "me" and said["lb.pool"] == "back"
    asked = collected.asked[0]
    assert asked.start == "POST /v1/traces HTTP/1.1"
    assert asked.header("content-type") == "application/json"


@pytest.mark.fast
def test_the_trace_of_a_client_goes_on(lb, server):
    collected = Collector()
    proxy = lb(traced(server(tells_what_it_got()), collector=server(collected), sample="0%"))
    client = proxy.connect()
    got = asks(client, headers=[f"traceparent: {PARENT}", "tracestate: a=b"])
    assert traceparent(got).startswith("00-0af7651916cd43dd8448eb211c80319c-")
    assert traceparent(got) != PARENT and b"tracestate: a=b" in got.body
    unsampled = asks(client, headers=[f"traceparent: {PARENT[:-1]}0"])
    assert traceparent(unsampled).endswith("-00")
    begun = asks(client, headers=["traceparent: 00-nonsense", "tracestate: a=b"])
    assert traceparent(begun).endswith("-00") and b"tracestate" not in begun.body
    wait_until(lambda: collected.spans, "a span")
    span, = collected.spans
    assert span["parentSpanId"] == "b7ad6b7169203331"
    assert span["traceId"] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.fast
def test_without_tracing_a_traceparent_is_passed_on_as_it_is(lb, server):
    proxy = lb(http_config(server(tells_what_it_got())))
    got = asks(proxy.connect(), headers=[f"traceparent: {PARENT}"])
    assert traceparent(got) == PARENT
    assert b"traceparent" not in asks(proxy.connect()).body


@pytest.mark.fast
def test_a_collector_that_comes_late_gets_what_waited_for_it(lb, server):
    collected = Collector(status="503 Busy")
    proxy = lb(traced(server(names_itself_in_http("a")), collector=server(collected)))
    client = proxy.connect()
    for _ in range(5):
        assert asks(client).body == b"a"
    wait_until(lambda: collected.asked, "a call")
    proxy.wait_log("tracing: no spans to .*: it answers 503")
    collected.status = "200 OK"
    wait_until(lambda: len(collected.spans) == 5, "all spans")


@pytest.mark.fast
def test_a_collector_that_never_answers_slows_nobody(lb, server):
    proxy = lb(traced(server(names_itself_in_http("a")), collector=server(lambda _: None)))
    client = proxy.connect()
    for _ in range(200):
        assert asks(client).body == b"a"
    proxy.reload(http_config(server(names_itself_in_http("b"))))
    wait_until(lambda: asks(proxy.connect()).body == b"b", "the reload")


def test_spans_that_find_no_room_are_lost_and_counted(lb, server, admin):
    silent = server(lambda connection: connection.receive_all())
    proxy = lb(traced(server(names_itself_in_http("a")), collector=silent,
                      admin={"address": admin.address}, runtime={"workers": 1}))
    client = proxy.connect()
    path, agent = f"/{'p' * 1000}?{'q' * 1000}", "User-Agent: " + "a" * 1000

    def lost():
        for _ in range(100):
            assert asks(client, path=path, headers=[agent]).body == b"a"
        found = re.search(r"^lb_trace_spans_lost_total (\d+)$", admin.get("/metrics").text, re.M)
        return int(found.group(1)) > 0

    wait_until(lost, "a span that is lost", timeout_s=120)


@pytest.mark.fast
def test_what_is_left_is_sent_at_the_end(lb, server):
    collected = Collector()
    proxy = lb(traced(server(names_itself_in_http("a")), collector=server(collected)))
    client = proxy.connect()
    for _ in range(3):
        asks(client)
    client.close()
    proxy.terminate()
    assert proxy.wait_end() == 0
    wait_until(lambda: len(collected.spans) == 3, "the last spans")


@pytest.mark.fast
def test_what_was_answered_without_a_server_is_told_as_well(lb, server):
    collected = Collector()
    config = traced(server(), collector=server(collected))
    config["listeners"]["front"].pop("pool")
    config["listeners"]["front"]["routes"] = [
        {"match": {"path": "/go"}, "redirect": {"to": "/there"}},
        {"match": {"path": "/back"}, "pool": "back"}]
    client = lb(config).connect()
    assert asks(client, path="/go").status == 308
    assert asks(client, path="/none").status == 404
    wait_until(lambda: len(collected.spans) == 2, "both spans")
    assert [attributes(span)["lb.termination"] for span in collected.spans] == ["by_route", "no_route"]
