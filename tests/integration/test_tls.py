# SPDX-License-Identifier: MIT
"""TLS between clients and a listener."""

import copy
import select
import socket
import ssl

import pytest
from lbtest import echo, free_port, in_background, names_itself, source, tcp_config
from lbtest.connection import is_ready


def tls_config(*servers, certificates, tls=None, listener=None, **options):
    return tcp_config(*servers, listener={"tls": {"certificates": certificates, **(tls or {})},
                                          **(listener or {})}, **options)


def subject(connection):
    return dict(pair[0] for pair in connection.socket.getpeercert()["subject"])["commonName"]


@pytest.fixture(scope="module")
def app(authority):
    return authority.issue("app", "app.example", "127.0.0.1")


@pytest.mark.fast
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_speaks_tls_and_the_server_hears_it_in_clear(lb, server, authority, app, version):
    back = server()
    proxy = lb(tls_config(back, certificates=[app]))
    client = authority.connect(proxy.address, context=authority.client(version=version))
    client.send(b"hello")
    behind = back.accept()
    assert behind.receive(5) == b"hello"
    behind.send(b"welcome")
    assert client.receive(7) == b"welcome"


@pytest.mark.fast
def test_bytes_arrive_whole_both_ways(lb, server, authority, app):
    data = b"".join(b"%d " % number for number in range(400_000))
    proxy = lb(tls_config(server(echo), certificates=[app]))
    client = authority.connect(proxy.address)
    sending = in_background(lambda: client.send(data))
    assert client.receive(len(data)) == data
    sending.result()


@pytest.mark.fast
def test_a_server_that_ends_gives_the_client_an_end_in_order(lb, server, authority, app):
    proxy = lb(tls_config(server(source(b"all of it")), certificates=[app]))
    client = authority.connect(proxy.address)
    # Python raises SSLEOFError where close_notify is missing.
    assert client.socket.recv(100) == b"all of it"
    assert client.socket.recv(100) == b""


@pytest.mark.fast
def test_the_end_of_a_client_is_passed_on_and_the_answer_still_comes(lb, server, authority, app):
    back = server()
    proxy = lb(tls_config(back, certificates=[app]))
    client = authority.connect(proxy.address)
    client.send(b"question")
    behind = back.accept()
    assert behind.receive(8) == b"question"
    ending = in_background(client.socket.unwrap)  # close_notify, and waits for ours
    behind.expect_eof()
    behind.finish()
    ending.result()


@pytest.mark.fast
def test_a_client_that_is_cut_off_resets_the_server(lb, server, authority, app):
    back = server()
    proxy = lb(tls_config(back, certificates=[app]))
    client = authority.connect(proxy.address)
    client.send(b"half a ")
    behind = back.accept()
    assert behind.receive(7) == b"half a "
    client.socket.shutdown(socket.SHUT_RDWR)  # without close_notify
    behind.expect_reset()


@pytest.mark.fast
def test_a_client_certificate_is_required(lb, server, authority, app):
    proxy = lb(tls_config(server(names_itself("back")), certificates=[app],
                          tls={"client_auth": {"mode": "required", "ca": authority.ca}}))
    own = authority.client(certificate=authority.issue("alice"))
    assert authority.connect(proxy.address, context=own).receive_line() == b"back\n"
    with pytest.raises(OSError):
        authority.connect(proxy.address).receive_line()


@pytest.mark.fast
def test_a_plain_client_is_turned_away_and_harms_nobody(lb, server, authority, app):
    proxy = lb(tls_config(server(echo), certificates=[app]))
    other = authority.connect(proxy.address)
    plain = proxy.connect()
    plain.send(b"GET / HTTP/1.1\r\n\r\n")
    assert plain.receive_until_it_ends()[:1] in (b"\x15", b"")  # an alert at most
    assert other.asks(b"still here") == b"still here"


@pytest.mark.fast
def test_a_client_that_never_shakes_hands_is_ended(lb, server, authority, app):
    proxy = lb(tls_config(server(echo), certificates=[app],
                          listener={"timeouts": {"tls_handshake": "200ms"}}))
    silent = proxy.connect()
    silent.expect_reset()


@pytest.mark.fast
def test_a_proxy_header_comes_before_tls(lb, server, authority, app):
    back = server()
    proxy = lb(tls_config(back, certificates=[app],
                          listener={"proxy_protocol": {"trusted": ["127.0.0.1"]}},
                          pool={"send_proxy_protocol": "v1"}))
    raw = proxy.connect()
    raw.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n")
    client = authority.client().wrap_socket(raw.socket, server_hostname="app.example")
    client.sendall(b"hi")
    behind = back.accept()
    assert behind.receive_line() == b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n"
    assert behind.receive(2) == b"hi"
    client.close()


def resumed(authority, address, context, session=None):
    """(whether the session was taken up, the newest session)."""
    client = authority.connect(address, context=context, session=session)
    assert client.asks(b"x") == b"x"  # tickets of TLS 1.3 come behind the handshake
    found = client.socket.session_reused, client.socket.session
    client.close()
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_at_every_worker_and_over_reloads(lb, server, authority, app, version):
    config = tls_config(server(echo), certificates=[app], runtime={"workers": 4})
    proxy = lb(config)
    context = authority.client(version=version)
    _, session = resumed(authority, proxy.address, context)
    for _ in range(12):
        again, session = resumed(authority, proxy.address, context, session)
        assert again
    proxy.reload(config)
    again, session = resumed(authority, proxy.address, context, session)
    assert again
    other = copy.deepcopy(config)
    other["listeners"]["front"]["timeouts"] = {"idle": "1m"}
    proxy.reload(other)
    assert resumed(authority, proxy.address, context, session)[0]


@pytest.mark.fast
def test_ticket_keys_of_a_file_are_shared_between_balancers(lb, server, authority, app):
    keys = authority.directory / "tickets"
    keys.write_bytes(bytes(range(80)))
    back = server(echo)
    one, two = (lb(tls_config(back, certificates=[app], tls={"ticket_keys": str(keys)}))
                for _ in range(2))
    context = authority.client()
    _, session = resumed(authority, one.address, context)
    assert resumed(authority, two.address, context, session)[0]


@pytest.mark.fast
def test_a_renewed_certificate_is_taken_up_and_nothing_is_dropped(lb, server, authority):
    renewed = authority.issue("renewed", "app.example", subject="first")
    config = tls_config(server(echo), certificates=[renewed])
    proxy = lb(config)
    old = authority.connect(proxy.address)
    assert subject(old) == "first"
    authority.issue("renewed", "app.example", subject="second")
    proxy.reload(config)
    assert subject(authority.connect(proxy.address)) == "second"
    assert old.asks(b"still here") == b"still here"


@pytest.mark.fast
def test_a_broken_certificate_is_refused_and_the_old_one_stays(lb, server, authority):
    kept = authority.issue("kept", "app.example", subject="kept")
    config = tls_config(server(echo), certificates=[kept])
    proxy = lb(config)
    (authority.directory / "kept.pem").write_text("junk")
    proxy.reload(config)
    proxy.wait_log(r"certificates\[0\]\.certificate: .*kept.pem holds no certificate")
    assert subject(authority.connect(proxy.address)) == "kept"


@pytest.mark.timing
def test_a_flood_of_handshakes_does_not_stall_open_connections(lb, server, authority, app):
    proxy = lb(tls_config(server(echo), certificates=[app], runtime={"workers": 1}))
    client = authority.connect(proxy.address)
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        authority.client().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="app.example").do_handshake()
    hello = hello.read()
    flood = [proxy.connect().socket for _ in range(1_000)]
    for one in flood:
        one.sendall(hello)
    pings = 0
    while not all(is_ready(one, select.POLLIN, 0) for one in flood):
        assert client.asks(b"ping") == b"ping"
        pings += 1
    # A worker that did all that are ready in one turn would come round two to seven times.
    assert pings > 10


@pytest.mark.fast
def test_a_pool_may_hash_on_the_name_of_the_handshake(lb, server, authority, app):
    names = [f"{number}.example" for number in range(40)]
    proxy = lb(tls_config(*(server(names_itself(name)) for name in "abc"), certificates=[app],
                          pool={"balance": "hash", "hash_on": "sni"}))
    context = authority.client()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def asked(name):
        raw = proxy.connect()
        raw.socket = context.wrap_socket(raw.socket, server_hostname=name)
        return raw.receive_line()

    seen = {name: asked(name) for name in names}
    assert len(set(seen.values())) == 3
    assert all(asked(name) == seen[name] for name in names)


@pytest.mark.fast
def test_the_name_of_the_finished_handshake_chooses_the_route(lb, server, authority, app):
    other = authority.issue("other", "db.example")
    config = {
        "listeners": {"front": {
            "address": f"127.0.0.1:{free_port()}", "tls": {"certificates": [app, other]},
            "routes": [{"match": {"sni": "db.example"}, "pool": "db"}, {"pool": "rest"}]}},
        "pools": {name: {"servers": [server(names_itself(name)).address], "health_check": "off"}
                  for name in ("db", "rest")},
    }
    proxy = lb(config)
    for name in ("db.example", "DB.Example"):
        assert authority.connect(proxy.address, name).receive_line() == b"db\n"
    assert authority.connect(proxy.address, "app.example").receive_line() == b"rest\n"
