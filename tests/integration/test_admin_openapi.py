# SPDX-License-Identifier: MIT
"""docs/openapi.json says what the API does: every call is tried against it."""

import json
import pathlib
import re
import ssl

import pytest
from lbtest import Admin, free_port, names_itself, tcp_config

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
OPENAPI = json.loads((DOCS / "openapi.json").read_text())
TYPES = {"string": str, "boolean": bool, "number": (int, float), "integer": int, "object": dict,
         "array": list}


def fits(value, schema, where="answer"):
    """Fails where a value is not as a schema of the file says."""
    if "$ref" in schema:
        return fits(value, OPENAPI["components"]["schemas"][schema["$ref"].rpartition("/")[2]], where)
    if value is None:
        assert schema.get("nullable"), f"{where} is null"
        return None
    assert isinstance(value, TYPES[schema["type"]]), f"{where} is {value!r}"
    assert not (schema["type"] in ("integer", "number") and isinstance(value, bool)), where
    if "enum" in schema:
        assert value in schema["enum"], f"{where} is {value!r}"
    if schema.get("format") == "date-time":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value), where
    if schema["type"] == "array":
        for index, item in enumerate(value):
            fits(item, schema["items"], f"{where}[{index}]")
    if schema["type"] == "object":
        properties = schema.get("properties", {})
        missing = set(schema.get("required", [])) - set(value)
        assert not missing, f"{where} lacks {missing}"
        for key, item in value.items():
            if key in properties:
                fits(item, properties[key], f"{where}.{key}")
            else:
                more = schema.get("additionalProperties", True)
                assert more is not False, f"{where}.{key} is in no schema"
                if isinstance(more, dict):
                    fits(item, more, f"{where}.{key}")
    return None


def check(reply, path, method):
    responses = OPENAPI["paths"][path][method]["responses"]
    assert str(reply.status) in responses, f"{method} {path}: {reply.status} {reply.text}"
    response = responses[str(reply.status)]
    if "$ref" in response:
        response = OPENAPI["components"]["responses"][response["$ref"].rpartition("/")[2]]
    content = response["content"]
    kind = reply.headers["Content-Type"].partition(";")[0]
    assert kind in content, f"{method} {path}: {kind}"
    if kind == "application/json":
        fits(reply.json, content[kind]["schema"], f"{method} {path}")
    return reply


@pytest.mark.fast
def test_every_call_answers_as_the_file_says(lb, server, admin):
    a = server(names_itself("a"))
    config = tcp_config({"name": "a", "address": a}, admin={"address": admin.address},
                        pool={"health_check": {"interval": "50ms", "fast_interval": "50ms"}})
    proxy = lb(config)
    proxy.wait_log("back/a is healthy")
    with proxy.connect() as client:
        client.receive_line()
    ids = {"a": admin.server("a")["serverId"], "none": "0" * 16}
    bodies = {
        ("/api/servers/{id}/state", "put"): [{"state": "drain"}, {"state": "ready"}, {"state": "up"}, {}],
        ("/api/servers/{id}/weight", "put"): [{"weight": 3}, {"weight": -1}, {"weight": 1, "x": 1}],
        ("/api/servers", "post"): [{"host": "127.0.0.1", "port": a.port, "name": "b"},
                                   {"host": "127.0.0.1", "port": a.port, "name": "b"},
                                   {"host": "127.0.0.1"}, {"pool": "none", "host": "a", "port": 1}],
        ("/api/algorithm", "put"): [{"pool": "back", "algorithm": "random"}, {"pool": "no", "algorithm": "hash"},
                                    {"pool": "back", "algorithm": "best"}],
        ("/api/config", "put"): [config, {}, {**config, "admin": {"address": "127.0.0.1:1"}}, "["],
        ("/api/reload", "post"): [None],
        ("/api/servers/{id}", "delete"): [None],
    }
    calls = 0
    for path, methods in sorted(OPENAPI["paths"].items(), key=lambda one: "delete" in one[1]):
        for method in methods:
            if path == "/api/events":
                continue  # test_admin_metrics.py
            for body in bodies.get((path, method), [None]):
                for one in ids.values() if "{id}" in path else [""]:
                    check(admin.ask(method.upper(), path.replace("{id}", one), body), path, method)
                    calls += 1
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH"} - {each.upper() for each in methods}:
            reply = admin.ask(method, path.replace("{id}", ids["a"]))
            assert reply.status == 405 and reply.error, f"{method} {path}"
            allowed = {each for each in reply.headers["Allow"].split(", ") if each != "HEAD"}
            assert allowed == {each.upper() for each in methods}
    assert calls > 30
    assert check(admin.get("/api/servers?pool=none"), "/api/servers", "get").status == 404


@pytest.mark.fast
def test_off_loopback_every_call_but_health_answers_401(lb, server, authority):
    port = free_port()
    certificate = authority.issue("admin", "localhost", "127.0.0.1")
    lb(tcp_config({"name": "a", "address": server(names_itself("a"))}, admin={
        "address": f"0.0.0.0:{port}", "token": "correct-horse-battery", "tls": dict(certificate)}))
    nobody = Admin(f"127.0.0.1:{port}", tls=ssl.create_default_context(cafile=authority.ca))
    for path, methods in OPENAPI["paths"].items():
        for method in methods:
            wanted = 200 if path == "/api/health" else 401
            reply = nobody.ask(method.upper(), path.replace("{id}", "0" * 16), headers={"Accept": "application/json"})
            assert check(reply, path, method).status == wanted
            assert reply.headers["WWW-Authenticate"] == ("Bearer" if wanted == 401 else None)


def test_the_manual_and_the_file_name_the_same_calls():
    manual = (DOCS / "admin.md").read_text()
    for path in OPENAPI["paths"]:
        assert path in manual, path
    for path in re.findall(r"`(?:GET |PUT |POST |DELETE )?(/(?:api|metrics)[a-z/{}]*)`", manual):
        assert path in OPENAPI["paths"], path
