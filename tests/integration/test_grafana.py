# SPDX-License-Identifier: MIT
"""etc/grafana/lb.json: every query asks for what lb tells, in words that Prometheus understands."""

import json
import re
import subprocess

import pytest
from lbtest import Admin, echo, free_port, wait_until
from lbtest.http import asks, names_itself_in_http
from lbtest.process import ROOT

DASHBOARD = json.loads((ROOT / "etc/grafana/lb.json").read_text())
# What Prometheus adds to every series it collects, and what lb does not say at once.
ADDED = {"instance", "job", "le"}


def queries():
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            metric, _ = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            found.append(metric)
    return found


def metrics_of(query):
    """{metric: labels that are selected by} of a query."""
    found = {}
    for name, selector in re.findall(r"\b((?:lb|process)_\w+)(?:\{([^}]*)\})?", query):
        found[name] = set(re.findall(r'(\w+)=~?"', selector))
    return found


@pytest.fixture
def scrape(lb, server):
    """{metric: its labels} of a lb that has served a little of everything."""
    address = f"127.0.0.1:{free_port()}"
    front = f"127.0.0.1:{free_port()}"
    proxy = lb({
        "listeners": {
            "web": {"address": front, "protocol": "http", "pool": "web"},
            "db": {"address": f"127.0.0.1:{free_port()}", "pool": "db"},
            "dns": {"address": f"127.0.0.1:{free_port()}", "protocol": "udp", "pool": "dns"},
        },
        "pools": {
            "web": {"servers": [server(names_itself_in_http("a")).address]},
            "db": {"servers": [server(echo).address]},
            "dns": {"servers": ["127.0.0.1:1"], "health_check": "off"},
        },
        "admin": {"address": address},
    })
    proxy.address = front
    with proxy.connect() as client:
        assert asks(client).status == 200
    admin = Admin(address)
    wait_until(lambda: 'lb_connections_ended_total{listener="web"' in admin.get("/metrics").text,
               "the end of the connection is counted")
    found = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", admin.get("/metrics").text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    # Without a drop there is no reason to tell of; the family is there.
    families = set(re.findall(r"^# TYPE (\w+)", admin.get("/metrics").text, re.MULTILINE))
    assert "lb_datagrams_dropped_total" in families
    found.setdefault("lb_datagrams_dropped_total", {"listener", "reason"})
    return found


def test_every_query_asks_for_what_there_is(scrape):
    asked = 0
    for query in queries():
        metrics = metrics_of(query)
        assert metrics, query
        grouped = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", query)
                   for label in labels.split(",")}
        for metric, selected in metrics.items():
            asked += 1
            assert metric in scrape, f"{query}: there is no {metric}"
            unknown = (selected | grouped) - scrape[metric] - ADDED
            assert not unknown, f"{query}: {metric} has no {unknown}"
    assert asked > 30


def test_prometheus_understands_every_query(tmp_path):
    rules = [{"record": f"panel:{index}", "expr": query.replace("$__rate_interval", "1m")}
             for index, query in enumerate(queries())]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "lb", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_panels_have_places_of_their_own():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
