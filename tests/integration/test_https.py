# SPDX-License-Identifier: MIT
"""HTTP inside of TLS, between clients and a listener and between lb and servers."""

import json
import os
import shutil
import ssl
import subprocess

import pytest
from lbtest import in_background, s_client, wait_until
from lbtest.connection import parse
from lbtest.http import (asks, http_config, names_itself_in_http, read_head, read_message, request,
                         response, serves, tells_what_it_got)

ROUTES = [{"match": {"path": "/go"}, "redirect": {"to": "{scheme}://{host}:{port}/there"}},
          {"pool": "back"}]


def https_config(*servers, certificates, tls=None, listener=None, **options):
    return http_config(*servers, listener={"tls": {"certificates": certificates, **(tls or {})},
                                           **(listener or {})}, **options)


def routed(config):
    del config["listeners"]["front"]["pool"]
    config["listeners"]["front"]["routes"] = ROUTES
    return config


@pytest.fixture(scope="module")
def app(authority):
    return authority.issue("https", "app.example", "127.0.0.1")


def behind_tls(certificate, behaviour, client_ca=None):
    """A server's behaviour behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate["certificate"], certificate["key"])
    context.set_alpn_protocols(["http/1.1"])
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED

    def served(connection):
        try:
            connection.socket = context.wrap_socket(connection.socket, server_side=True)
            behaviour(connection)
        except (OSError, ValueError, AssertionError):
            pass  # the other end went away, or the test is over

    return served


def answers_by_reading(answer):
    """serves() peeks, which TLS cannot."""

    def behaviour(connection):
        while True:
            connection.send(answer(read_message(connection)))

    return behaviour


@pytest.mark.fast
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_learns_that_the_client_came_by_tls(lb, server, authority, app, version):
    proxy = lb(https_config(server(tells_what_it_got()), certificates=[app]))
    client = authority.connect(proxy.address, context=authority.client(version=version))
    for _ in range(3):
        body = asks(client).body
        assert b"x-forwarded-proto: https" in body and b"proto=https" in body


@pytest.mark.fast
def test_the_cookie_that_brings_a_client_back_is_for_tls_alone(lb, server, authority, app):
    proxy = lb(https_config(server(tells_what_it_got()), certificates=[app],
                            pool={"sticky": {"by": "cookie"}}))
    given = asks(authority.connect(proxy.address)).header("set-cookie")
    assert given.startswith("lb_server=") and given.endswith("; Secure")


@pytest.mark.fast
def test_a_redirect_knows_the_scheme(lb, server, authority, app):
    proxy = lb(routed(https_config(server(), certificates=[app])))
    got = asks(authority.connect(proxy.address), path="/go")
    assert (got.status, got.header("location")) == (308, "https://a.example:443/there")


@pytest.mark.fast
@pytest.mark.parametrize("offered, chosen", [
    (None, None), (["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), (["http/1.0"], "http/1.0")])
def test_alpn(lb, server, authority, app, offered, chosen):
    proxy = lb(https_config(server(names_itself_in_http("a")), certificates=[app],
                            tls={"alpn": ["http/1.1"]}))
    client = authority.connect(proxy.address, context=authority.client(alpn=offered))
    assert client.socket.selected_alpn_protocol() == chosen
    assert asks(client).body == b"a"


@pytest.mark.fast
def test_a_pool_may_hash_on_the_name_of_the_handshake(lb, server, authority):
    # Enough names for each of three servers to get one, wherever they stand (chance of a miss: 3e-7).
    names = [f"{number}.example" for number in range(40)]
    proxy = lb(https_config(*(server(names_itself_in_http(name)) for name in "abc"),
                            certificates=[authority.issue("https-many", *names)],
                            pool={"balance": "hash", "hash_on": "sni"}))
    seen = {name: asks(authority.connect(proxy.address, name)).body for name in names}
    assert len(set(seen.values())) == 3
    for name in names:
        assert asks(authority.connect(proxy.address, name)).body == seen[name]
    assert asks(authority.connect(proxy.address, None)).status == 200


@pytest.mark.fast
def test_certificates_are_chosen_by_name(lb, server, authority, app):
    shop = authority.issue("https-shop", "*.shop.example")
    proxy = lb(https_config(server(names_itself_in_http("a")), certificates=[app, shop]))
    for name, subject in (("app.example", "https"), ("www.shop.example", "https-shop"), (None, "https")):
        client = authority.connect(proxy.address, name=name)
        assert client.socket.getpeercert()["subject"][0][0][1] == subject
        assert asks(client).body == b"a"


@pytest.mark.fast
def test_a_client_certificate_may_be_required(lb, server, authority, app):
    tls = {"client_auth": {"mode": "required", "ca": authority.ca}}
    proxy = lb(https_config(server(names_itself_in_http("a")), certificates=[app], tls=tls))
    mine = authority.issue("https-client")
    assert asks(authority.connect(proxy.address, context=authority.client(mine))).body == b"a"
    with pytest.raises((OSError, AssertionError)):
        asks(authority.connect(proxy.address))


@pytest.mark.fast
def test_pipelined_requests_and_large_bodies_pass_through_tls(lb, server, authority, app):
    data = os.urandom(3_000_000)
    answers = {"/large": response(data), "/small": response(b"s")}
    proxy = lb(https_config(server(serves(lambda got: answers[got.start.split()[1]])),
                            certificates=[app]))
    client = authority.connect(proxy.address)
    paths = ["/small", "/large", "/small", "/small", "/large", "/small"]
    sending = in_background(lambda: client.send(b"".join(
        request("PUT", path=path, body=data) for path in paths)))
    for path in paths:
        assert read_message(client).body == (data if path == "/large" else b"s")
    sending.result()


@pytest.mark.fast
def test_the_end_of_a_connection_is_one_in_order(lb, server, authority, app):
    proxy = lb(https_config(server(names_itself_in_http("a")), certificates=[app],
                            listener={"timeouts": {"keep_alive": "2s"}}))
    client = authority.connect(proxy.address)
    assert asks(client, headers=["Connection: close"]).body == b"a"
    assert client.socket.recv(1) == b""  # ssl.SSLError where close_notify is missing
    client = authority.connect(proxy.address)
    assert asks(client).body == b"a"
    assert client.socket.recv(1) == b""


@pytest.mark.fast
def test_a_response_that_breaks_off_is_no_end_in_order(lb, server, authority, app):
    def behaviour(connection):
        read_message(connection)
        connection.send(b"HTTP/1.0 200 OK\r\n\r\nhello").reset()

    proxy = lb(https_config(server(behaviour), certificates=[app]))
    client = authority.connect(proxy.address).send(request(version="1.0"))
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        while client.socket.recv(100):
            pass


@pytest.mark.fast
def test_a_client_that_stays_silent_in_its_handshake_is_ended(lb, server, authority, app):
    proxy = lb(https_config(server(), certificates=[app],
                            listener={"timeouts": {"tls_handshake": "200ms"}}))
    assert proxy.connect().ends()
    assert proxy.connect().send(b"\x16\x03\x01").ends()


@pytest.mark.fast
@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"DELETE /x HTTP/1.0\r\n\r\n",
                                  b"PUT /x HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + b"x" * 90000],
                         ids=["get", "delete", "put"])
def test_plain_http_at_an_https_port_is_told_so(lb, server, authority, app, said):
    back = server(names_itself_in_http("a"))
    proxy = lb(https_config(back, certificates=[app], listener={"access_log": {}}))
    client = proxy.connect().send(said)
    got = read_message(client)
    assert (got.status, got.header("connection")) == (400, "close")
    assert json.loads(got.body) == {"error": "Bad request",
                                    "reason": "plain HTTP was sent to an HTTPS port"}
    client.finish()
    client.expect_eof()
    wait_until(lambda: '"termination":"plain_http"' in proxy.output_file.read_text(),
               "the line in the access log")
    assert back.connections == 0
    assert asks(authority.connect(proxy.address)).body == b"a"


@pytest.mark.fast
def test_plain_http_behind_a_proxy_header_is_told_so_too(lb, server, authority, app):
    proxy = lb(https_config(server(), certificates=[app],
                            listener={"proxy_protocol": {"trusted": ["127.0.0.0/8"]}}))
    client = proxy.connect().send(b"PROXY TCP4 10.1.2.3 10.0.0.1 4444 443\r\n" + request())
    assert read_message(client).status == 400


@pytest.mark.fast
def test_what_is_neither_tls_nor_http_gets_no_http(lb, server, authority, app):
    proxy = lb(https_config(server(), certificates=[app]))
    ssl_2_hello = b"\x80\x2e\x01\x00\x02" + bytes(0x2e - 3)
    for said in (b"SSH-2.0-OpenSSH_9.2\r\n", b"get / http/1.1\r\n\r\n", ssl_2_hello):
        assert b"HTTP" not in proxy.connect().send(said).receive_until_it_ends()


@pytest.mark.fast
def test_tls_follows_a_proxy_header(lb, server, authority, app):
    proxy = lb(https_config(server(tells_what_it_got()), certificates=[app],
                            listener={"proxy_protocol": {"trusted": ["127.0.0.0/8"]}}))
    raw = proxy.connect().send(b"PROXY TCP4 10.1.2.3 10.0.0.1 4444 443\r\n")
    context = authority.client()
    raw.socket = context.wrap_socket(raw.socket, server_hostname="app.example")
    assert b"x-forwarded-for: 10.1.2.3\n" in asks(raw).body


@pytest.mark.fast
def test_a_pool_speaks_tls_on_kept_connections(lb, server, authority, app):
    back = server(behind_tls(app, answers_by_reading(lambda got: response(got.start.encode()))))
    proxy = lb(http_config(back, runtime={"workers": 1},
                           pool={"tls": {"ca": authority.ca, "server_name": "app.example"}}))
    client = proxy.connect()
    for i in range(5):
        assert asks(client, path=f"/{i}").body == f"GET /{i} HTTP/1.1".encode()
    data = b"x" * 2_000_000
    assert asks(client, method="PUT", body=data).status == 200
    assert back.connections == 1


def test_large_responses_of_tls_servers_wait_for_slow_clients(lb, server, authority, app):
    data = os.urandom(20_000_000)
    back = server(behind_tls(app, answers_by_reading(lambda _: response(data))))
    proxy = lb(https_config(back, certificates=[app], pool={"tls": {"verify": False}}))
    client = authority.connect(proxy.address).send(request())
    before = proxy.rss_kib()
    head = read_head(client)
    assert int(head.header("content-length")) == len(data)
    assert client.receive(len(data)) == data
    assert proxy.rss_kib() - before < 8_000


@pytest.mark.fast
@pytest.mark.parametrize("tls", [{}, {"ca": True, "server_name": "other.example"}])
def test_a_server_that_cannot_be_verified_is_503(lb, server, authority, app, tls):
    tls = {key: authority.ca if value is True else value for key, value in tls.items()}
    back = server(behind_tls(app, answers_by_reading(lambda _: response(b"x"))))
    proxy = lb(http_config(back, pool={"tls": tls, "retries": "off"}))
    assert asks(proxy.connect()).status == 503
    proxy.wait_log("no TLS handshake: certificate verification failed")


@pytest.mark.fast
def test_servers_may_ask_for_our_certificate(lb, server, authority, app):
    mine = authority.issue("https-lb")
    back = server(behind_tls(app, answers_by_reading(lambda _: response(b"x")), authority.ca))
    proxy = lb(http_config(back, pool={"tls": {"verify": False, **mine}}))
    assert asks(proxy.connect()).body == b"x"


@pytest.mark.fast
def test_the_proxy_header_precedes_the_servers_tls(lb, server, authority, app):
    seen = []

    def behaviour(connection):
        seen.append(connection.receive_line())
        behind_tls(app, answers_by_reading(lambda _: response(b"x")))(connection)

    proxy = lb(http_config(server(behaviour), pool={"tls": {"verify": False},
                                                    "send_proxy_protocol": "v1"}))
    client = proxy.connect()
    for _ in range(2):
        assert asks(client).body == b"x"
    assert len(seen) == 2 and seen[0].startswith(b"PROXY TCP4 127.0.0.1 ")


@pytest.mark.fast
def test_a_reload_that_changes_the_pools_tls_leaves_kept_connections(lb, server, authority, app):
    back = server(behind_tls(app, answers_by_reading(lambda _: response(b"x"))))
    tls = {"verify": False, "ca": authority.ca}  # whose directory the sandbox has from the start
    config = http_config(back, runtime={"workers": 1}, pool={"tls": tls})
    proxy = lb(config)
    client = proxy.connect()
    assert asks(client).body == b"x"
    config["pools"]["back"]["tls"] = {"ca": authority.ca, "server_name": "other.example"}
    proxy.reload(config)
    assert asks(client).status == 503


@pytest.mark.fast
def test_certificates_change_by_reload_under_open_connections(lb, server, authority):
    first = authority.issue("https-first", "app.example")
    config = https_config(server(names_itself_in_http("a")), certificates=[first])
    proxy = lb(config)
    old = authority.connect(proxy.address)
    assert asks(old).body == b"a"
    config["listeners"]["front"]["tls"]["certificates"] = [authority.issue("https-second", "app.example")]
    proxy.reload(config)
    assert asks(old).body == b"a"
    new = authority.connect(proxy.address)
    assert new.socket.getpeercert()["subject"][0][0][1] == "https-second"
    assert asks(new).body == b"a"


@pytest.mark.fast
def test_sessions_are_resumed(lb, server, authority, app):
    proxy = lb(https_config(server(names_itself_in_http("a")), certificates=[app]))
    said = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    file = str(authority.directory / "https-session")
    s_client(proxy.address, "-ign_eof", "-sess_out", file, said=said)
    told = s_client(proxy.address, "-ign_eof", "-sess_in", file, said=said)
    assert "\nReused, TLSv1.3" in told and "HTTP/1.1 200 OK" in told


@pytest.mark.fast
def test_curl_uploads_and_downloads_by_tls(lb, server, authority, app, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    sent = os.urandom(5_000_000)
    (tmp_path / "sent").write_bytes(sent)
    proxy = lb(https_config(server(serves(lambda got: response(got.body))), certificates=[app]))
    port = parse(proxy.address)[1][1]
    for options in ([], ["--tls-max", "1.2"], ["-H", "Transfer-Encoding: chunked"], ["--limit-rate", "20M"]):
        done = subprocess.run(
            ["curl", "-sS", "--fail", "--cacert", authority.ca, "--max-time", "30", *options, "-T",
             str(tmp_path / "sent"), "--connect-to", f"app.example:443:127.0.0.1:{port}",
             "https://app.example/x"], capture_output=True, timeout=40, check=False)
        assert done.stdout == sent, done.stderr
