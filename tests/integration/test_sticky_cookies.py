# SPDX-License-Identifier: MIT
"""Clients that come back by a cookie: one that lb gives them, or the application's own."""

import re

import pytest
from lbtest import wait_until
from lbtest.http import asks, http_config, response, serves, tells_what_it_got

FORM = re.compile(r"lb_server=([A-Za-z0-9_-]{40}); Path=/; HttpOnly; SameSite=Lax")


def named(name):
    """An application that says who it is."""
    return serves(lambda _: response(name.encode()))


def with_sessions(name):
    """An application with sessions of its own: /login begins one, /logout ends it."""

    def answer(got):
        path = got.start.split()[1]
        if path.startswith("/login"):
            cookie = f"Set-Cookie: sessionId={name}-{path.removeprefix('/login/')}; Path=/; HttpOnly"
            return response(name.encode(), headers=["Set-Cookie: theme=dark", cookie])
        if path == "/logout":
            return response(name.encode(), headers=["Set-Cookie: sessionId=; Max-Age=0; Path=/"])
        return response(name.encode())

    return serves(answer)


def config(*servers, workers=2, **sticky):
    return http_config(*servers, runtime={"workers": workers, "drain_timeout": "1s"},
                       pool={"sticky": {"by": "cookie", **sticky}})


def with_names(server, names, behaviour=named):
    return [{"name": name, "address": server(behaviour(name))} for name in names]


def first_visit(client, **more):
    """Who answers, and the cookie that it gives."""
    got = asks(client, **more)
    given = FORM.fullmatch(got.header("set-cookie"))
    assert given, got.header("set-cookie")
    return got.body.decode(), f"Cookie: lb_server={given[1]}"


@pytest.mark.fast
def test_a_client_comes_back_by_the_cookie_that_it_was_given(lb, server):
    proxy = lb(config(*with_names(server, "abc")))
    with proxy.connect() as client:
        visitors = [first_visit(client) for _ in range(9)]
        assert {home for home, _ in visitors} == {"a", "b", "c"}, "placed by balance"
        for home, cookie in visitors * 2:
            again = asks(client, headers=[cookie])
            assert (again.body.decode(), again.header("set-cookie")) == (home, None)


@pytest.mark.fast
def test_the_cookie_is_not_passed_on_to_servers(lb, server):
    proxy = lb(config(server(tells_what_it_got()), name="way"))
    with proxy.connect() as client:
        got = asks(client, headers=["Cookie: a=1; way=forged; b=2", "Cookie: way=twice"])
        assert got.header("set-cookie").startswith("way=")
        lines = got.body.decode().lower().split("\n")
        assert [line for line in lines if line.startswith("cookie")] == ["cookie: a=1; b=2"]


@pytest.mark.fast
def test_a_forged_cookie_chooses_nobody_and_is_replaced(lb, server):
    proxy = lb(config(*with_names(server, "ab")))
    with proxy.connect() as client:
        _, good = first_visit(client)
        bad = good[:-1] + ("A" if good[-1] != "A" else "B")
        seen = [first_visit(client, headers=[bad])[0] for _ in range(4)]
        assert sorted(seen) == ["a", "a", "b", "b"]
        assert sorted(asks(client, headers=["Cookie: lb_server=a"]).body for _ in range(2)) == [b"a", b"b"]


@pytest.mark.fast
def test_clients_of_a_removed_server_get_another_and_keep_it(lb, server):
    servers = with_names(server, "abc")
    proxy = lb(config(*servers))
    with proxy.connect() as client:
        visitors = [first_visit(client) for _ in range(9)]
    proxy.reload(config(servers[0], servers[2]))
    with proxy.connect() as client:
        moved = [first_visit(client, headers=[cookie]) if home == "b" else (home, cookie)
                 for home, cookie in visitors]
        assert {home for home, _ in moved} == {"a", "c"}
    proxy.reload(config(*servers))
    with proxy.connect() as client:
        for home, cookie in moved:
            assert asks(client, headers=[cookie]).body.decode() == home
        lost = next(cookie for home, cookie in visitors if home == "b")
        assert asks(client, headers=[lost]).body == b"b", "who was away meanwhile has it still"


@pytest.mark.fast
def test_where_nobody_may_move_clients_of_a_removed_server_are_refused(lb, server):
    servers = with_names(server, "ab")
    proxy = lb(config(*servers, fallback="reject"))
    with proxy.connect() as client:
        visitors = dict(first_visit(client) for _ in range(2))
    proxy.reload(config(servers[0], fallback="reject"))
    with proxy.connect() as client:
        assert asks(client, headers=[visitors["a"]]).body == b"a"
        assert asks(client, headers=[visitors["b"]]).status == 503


@pytest.mark.fast
def test_balancers_with_the_same_keys_understand_each_other_while_they_change(lb, server, tmp_path):
    keys = tmp_path / "cookie.keys"
    servers = with_names(server, "abc")
    keys.write_text("the first key of sixteen bytes\n")
    one = lb(config(*servers, secret_file=str(keys)))
    with one.connect() as client:
        visitors = [first_visit(client) for _ in range(3)]
    keys.write_text("a second key of sixteen bytes\nthe first key of sixteen bytes\n")
    other = lb(config(*reversed(servers), secret_file=str(keys)))
    with other.connect() as client:
        for home, cookie in visitors:
            again, fresh = first_visit(client, headers=[cookie])
            assert again == home and fresh != cookie, "signed by the new key"
            assert asks(client, headers=[fresh]).body.decode() == home


@pytest.mark.fast
def test_a_state_file_keeps_cookies_good_over_a_restart(lb, server, tmp_path):
    admin = {"address": f"unix:{tmp_path}/a", "state_file": str(tmp_path / "state.json")}
    kept = {**config(*with_names(server, "abc")), "admin": admin}
    first = lb(kept)
    with first.connect() as client:
        visitors = [first_visit(client) for _ in range(6)]
    first.kill()
    second = lb(kept)
    with second.connect() as client:
        for home, cookie in visitors:
            again = asks(client, headers=[cookie])
            assert (again.body.decode(), again.header("set-cookie")) == (home, None)


@pytest.mark.fast
def test_a_cookie_ends_unless_it_is_written_anew(lb, server):
    servers = with_names(server, "ab")
    short, longer = lb(config(*servers, ttl="1s")), lb(config(*servers, ttl="10s"))
    with short.connect() as client:
        home, cookie = first_visit(client)
        wait_until(lambda: asks(client, headers=[cookie]).body.decode() != home, "balance chooses")
    with longer.connect() as client:
        home, cookie = first_visit(client)
        wait_until(lambda: asks(client, headers=[cookie]).header("set-cookie"), "an eighth is over")
        again, fresh = first_visit(client, headers=[cookie])
        assert again == home and fresh != cookie


@pytest.mark.fast
def test_the_applications_own_cookie_is_learned(lb, server):
    proxy = lb(config(*with_names(server, "abc", with_sessions), learn="sessionId"))
    with proxy.connect() as client:
        sessions = {}
        for number in range(9):
            home = asks_plainly(client, f"/login/{number}")
            sessions[f"{home}-{number}"] = home
        assert set(sessions.values()) == {"a", "b", "c"}, "logins are spread by balance"
        for session, home in sessions.items():
            assert {cart(client, session) for _ in range(3)} == {home}


def asks_plainly(client, path="/", headers=()):
    """Who answers, whatever cookies it sets."""
    return asks(client, path=path, headers=list(headers)).body.decode()


def cart(client, session):
    return asks_plainly(client, "/cart", [f"Cookie: a=b; sessionId={session}"])


@pytest.mark.fast
def test_a_session_that_nobody_knows_stays_where_it_is_first_served(lb, server):
    proxy = lb(config(*with_names(server, "abc", with_sessions), learn="sessionId"))
    with proxy.connect() as client:
        homes = {number: cart(client, f"before-{number}") for number in range(60)}
        assert set(homes.values()) == {"a", "b", "c"}
        assert {number: cart(client, f"before-{number}") for number in range(60)} == homes


@pytest.mark.fast
def test_learned_sessions_outlive_a_reload_and_end_with_a_logout(lb, server):
    servers = with_names(server, "ab", with_sessions)
    proxy = lb(config(*servers, learn="sessionId"))
    with proxy.connect() as client:
        # By balance: whose hash would place it elsewhere shows that it was learned.
        sessions = {}
        for number in range(30):
            home = asks_plainly(client, f"/login/{number}")
            sessions[f"{home}-{number}"] = home
    proxy.reload(config(*servers, learn="sessionId", ttl="2h"))
    with proxy.connect() as client:
        assert {session: cart(client, session) for session in sessions} == sessions
        for session in sessions:
            asks_plainly(client, "/logout", [f"Cookie: sessionId={session}"])
        assert {session: cart(client, session) for session in sessions} != sessions, "placed anew"


@pytest.mark.fast
def test_one_refused_connect_costs_nobody_the_server_that_he_had(lb, server):
    fakes = {name: server(named(name)) for name in "ab"}
    servers = [{"name": name, "address": fake} for name, fake in fakes.items()]
    # So patient that the server's state does not change meanwhile.
    checks = {"health_check": {"interval": "50ms", "fast_interval": "50ms", "fall": 1000}}
    patient = config(*servers)
    patient["pools"]["back"].update(checks)
    proxy = lb(patient)
    with proxy.connect() as client:
        home, cookie = first_visit(client)
        fakes[home].go_down()
        fakes[home].hang_up()
        for _ in range(3):
            away = asks(client, headers=[cookie])
            assert away.body.decode() != home and away.header("set-cookie") is None
        fakes[home].come_back()
        wait_until(lambda: asks(client, headers=[cookie]).body.decode() == home, "the client is back")
