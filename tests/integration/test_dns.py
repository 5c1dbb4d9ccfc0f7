# SPDX-License-Identifier: MIT
"""Real DNS servers behind lb, asked by real clients."""

import re
import subprocess

import pytest
from lbtest import free_port, has_ipv6, wait_until
from lbtest.checked import NsdServer
from lbtest.datagrams import udp_config

CHECK = {"type": "dns", "query": {"name": "example", "type": "SOA"}, "interval": "200ms",
         "fast_interval": "100ms", "timeout": "1s", "fall": 2}


@pytest.fixture
def dns_servers():
    servers = [NsdServer(), NsdServer()]
    yield servers
    for server in servers:
        server.stop()


def dig(host, port, *words):
    done = subprocess.run(["dig", f"@{host}", "-p", str(port), "+tries=1", "+time=20", *words],
                          text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout
    return done.stdout


def port_of(proxy):
    return proxy.address.rpartition(":")[2]


def test_dig_is_answered_by_udp_and_where_that_is_too_short_by_tcp(lb, dns_servers):
    port = free_port()
    config = udp_config(*dns_servers, listener={"address": f":{port}", "udp": {"responses": 1}},
                        pool={"health_check": CHECK})
    # The same address once more, for the other transport.
    config["listeners"]["stream"] = {"address": f":{port}", "protocol": "tcp", "pool": "back"}
    lb(config)
    for host in ["127.0.0.1", *(["::1"] if has_ipv6() else [])]:
        assert dig(host, port, "host7.example", "+short") == "10.0.0.7\n"
        assert "status: NXDOMAIN" in dig(host, port, "nobody.example")
        long = dig(host, port, "many.example", "TXT")
        assert "Truncated, retrying in TCP mode" in long and long.count("xxx0") >= 20


class Dnsperf:
    """dnsperf under way: `at_once` queries from 20 client ports, a lost one is given up after a while."""

    def __init__(self, proxy, directory, at_once, seconds, patience_s=2):
        queries = directory / "queries"
        queries.write_text("".join(f"host{number}.example A\n" for number in range(100)))
        self._process = subprocess.Popen(
            ["dnsperf", "-s", "127.0.0.1", "-p", port_of(proxy), "-d", str(queries), "-c", "20",
             "-T", "1", "-q", str(at_once), "-t", str(patience_s), "-l", str(seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def results(self):
        """How many were sent, and how many of them lost."""
        said, _ = self._process.communicate(timeout=100)
        assert self._process.returncode == 0, said
        assert re.search(r"Response codes:\s+NOERROR \d+ \(100\.00%\)", said), said
        return [int(re.search(rf"Queries {what}:\s+(\d+)", said)[1]) for what in ("sent", "lost")]


def test_dnsperf_loses_nothing(lb, dns_servers, tmp_path):
    proxy = lb(udp_config(*dns_servers, pool={"health_check": CHECK}, runtime={"workers": 2}))
    sent, lost = Dnsperf(proxy, tmp_path, at_once=100, seconds=2, patience_s=20).results()
    assert sent > 1_000 and lost == 0


@pytest.mark.timing
@pytest.mark.parametrize("responses", ["off", 1])
def test_a_dns_server_killed_under_load_costs_what_was_in_flight_to_it(lb, dns_servers, tmp_path,
                                                                       responses):
    config = udp_config(*dns_servers, listener={"udp": {"responses": responses}},
                        pool={"health_check": CHECK}, runtime={"workers": 2})
    proxy = lb(config)
    asking = Dnsperf(proxy, tmp_path, at_once=60, seconds=4)
    wait_until(lambda: proxy.cpu_s() > 0.1, "there is load")
    dns_servers[0].kill()
    proxy.wait_log("is unhealthy")
    dns_servers[0].start_again()
    sent, lost = asking.results()
    assert sent > 1_000
    assert lost <= 60, "no more than were under way"
