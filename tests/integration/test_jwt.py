# SPDX-License-Identifier: MIT
"""A shop: who has logged in stays with one server, everything else goes where the load is least."""

import json
import time

import pytest
from lbtest import wait_until
from lbtest.http import asks, expect_idlest, http_config, names_itself_in_http, response, serves, tells_what_it_got
from lbtest.tokens import RsaKey, Secret, b64, claims, unsigned

SHOP = Secret()
USERS = [f"user-{number}" for number in range(1000)]


def shop_config(*servers, directory, routes=None, sticky=None, **rest):
    secret = directory / "secret"
    if not secret.exists():
        secret.write_bytes(SHOP.secret + b"\n")
    pool = {"sticky": {"by": "jwt", "jwt": "shop", **(sticky or {})}}
    config = http_config(*servers, pool=pool, **rest)
    config.setdefault("jwt", {"shop": {"algorithms": ["HS256"], "secret_file": str(secret)}})
    if routes:
        listener = config["listeners"]["front"]
        del listener["pool"]
        listener["routes"] = routes
    return config


def named(server, *names):
    return [{"name": name, "address": server(names_itself_in_http(name))} for name in names]


def ask(client, token=None, **more):
    headers = [f"Authorization: Bearer {token}"] if token else []
    return asks(client, headers=headers + more.pop("headers", []), **more)


def homes(proxy, users, token=SHOP.token):
    with proxy.connect() as client:
        return {user: ask(client, token(user)).body.decode() for user in users}


@pytest.mark.fast
def test_users_stay_with_their_server_whatever_token_they_bring(lb, server, tmp_path):
    proxy = lb(shop_config(*named(server, "a", "b", "c"), directory=tmp_path, runtime={"workers": 2}))
    first = homes(proxy, USERS)
    assert set(first.values()) == {"a", "b", "c"}
    refreshed = lambda user: SHOP.token(user, lasts_s=900, jti="refreshed")
    assert homes(proxy, USERS, refreshed) == first


@pytest.mark.fast
def test_of_a_server_that_is_removed_only_its_users_move_and_not_back(lb, server, tmp_path):
    servers = named(server, "a", "b", "c")
    config = lambda *these: shop_config(*these, directory=tmp_path)
    proxy = lb(config(*servers))
    first = homes(proxy, USERS)
    proxy.reload({**config(servers[0], servers[2]), "listeners": proxy_listeners(proxy)})
    moved = homes(proxy, USERS)
    for user in USERS:
        assert moved[user] in "ac" if first[user] == "b" else moved[user] == first[user]
    proxy.reload({**config(*servers), "listeners": proxy_listeners(proxy)})
    assert homes(proxy, USERS) == moved


@pytest.mark.fast
def test_users_who_ask_on_and_on_move_with_all_their_tokens_and_only_once(lb, server, admin, tmp_path):
    users = USERS[:60]
    tokens = [{user: SHOP.token(user, jti=device) for user in users} for device in ("laptop", "phone")]
    proxy = lb(shop_config(*named(server, "a", "b", "c"), directory=tmp_path, runtime={"workers": 2},
                           admin={"address": admin.address}))

    def places():
        """Where each user was in several requests by each token, over two connections."""
        with proxy.connect() as one, proxy.connect() as other:
            return {user: {ask(client, token[user]).body.decode()
                           for client in (one, other) for token in tokens for _ in range(3)}
                    for user in users}

    first = places()
    assert all(len(seen) == 1 for seen in first.values())
    assert set.union(*first.values()) == {"a", "b", "c"}
    admin.set_state("b", "maintenance")
    wait_until(lambda: not any("b" in seen for seen in places().values()), "all workers know of it")
    moved = places()
    for user in users:
        assert len(moved[user]) == 1 and (first[user] == {"b"} or moved[user] == first[user])
    admin.set_state("b", "ready")
    assert places() == moved


def proxy_listeners(proxy):
    """The listeners that it has, so that a reload keeps its port."""
    return {"front": {"address": proxy.address, "protocol": "http", "pool": "back"}}


def bad_tokens():
    text = unsigned({"alg": "none"}, claims("ada"))
    good = SHOP.token("ada")
    return {
        "none": text + ".",
        "forged": Secret(b"another secret with its 32 bytes").token("ada"),
        "expired": SHOP.token("ada", lasts_s=-61),
        "too early": SHOP.token("ada", nbf=int(time.time()) + 120),
        "without an end": SHOP.token("ada", exp=None),
        "critical": SHOP.token("ada", header={"crit": ["exp"]}),
        "padded": good + "=",
        "cut": good[:-4],
        "other claims": good.split(".")[0] + "." + b64(json.dumps(claims("bob")).encode()) + "." + good.split(".")[2],
        "huge": SHOP.token("ada", more="x" * 9000),
    }


@pytest.mark.fast
@pytest.mark.parametrize("kind", bad_tokens())
def test_a_bad_token_is_none_at_all(lb, server, admin, tmp_path, kind):
    routes = [{"match": {"path": "/cart"}, "jwt": "shop", "pool": "back"},
              {"match": {"authenticated": True}, "respond": {"status": 200, "body": "known"}},
              {"pool": "back"}]
    proxy = lb(shop_config(*named(server, "a", "b"), directory=tmp_path, routes=routes,
                           admin={"address": admin.address}))
    stuck = lambda: admin.get("/api/sessions").data["total"]
    token = bad_tokens()[kind]
    with proxy.connect() as client:
        refused = ask(client, token, path="/cart")
        assert refused.status == 401 and refused.header("www-authenticate") == "Bearer"
        assert json.loads(refused.body) == {"error": "Unauthorized"}
        # No stickiness either: each server in turn, by balance.
        assert sorted(ask(client, token).body for _ in range(4)) == [b"a", b"a", b"b", b"b"]
        assert stuck() == 0
        assert ask(client, SHOP.token("ada")).body == b"known"
        ask(client, SHOP.token("ada"), path="/cart")
        wait_until(lambda: stuck() == 1, "who has logged in sticks")


@pytest.mark.fast
def test_tokens_are_counted_by_how_they_fared_and_over_reloads(lb, server, admin, tmp_path):
    config = {**shop_config(*named(server, "a"), directory=tmp_path), "admin": {"address": admin.address}}
    proxy = lb(config)
    with proxy.connect() as client:
        good = SHOP.token("ada")
        for token in (good, good, bad_tokens()["expired"], bad_tokens()["forged"], None):
            assert ask(client, token).status == 200
        (tmp_path / "secret").write_bytes(SHOP.secret + b"another")
        proxy.reload(config)
        assert ask(client, good).status == 200
    told = admin.get("/metrics").text.splitlines()
    for result, count in {"valid": 1, "expired": 1, "wrong signature": 2}.items():
        assert f'lb_tokens_checked_total{{jwt="shop",result="{result}"}} {count}' in told


@pytest.mark.fast
def test_a_public_key_is_no_shared_secret(lb, server, tmp_path):
    key = RsaKey(tmp_path, "first")
    (tmp_path / "public.pem").write_bytes(key.public_pem())
    jwt = {"shop": {"algorithms": ["RS256"], "public_key_file": str(tmp_path / "public.pem")}}
    routes = [{"jwt": "shop", "pool": "back"}]
    proxy = lb(shop_config(*named(server, "a"), directory=tmp_path, routes=routes, jwt=jwt))
    with proxy.connect() as client:
        assert ask(client, key.token("ada")).status == 200
        assert ask(client, Secret(key.public_pem()).token("ada")).status == 401
        two = [f"Authorization: Bearer {key.token('ada')}"] * 2
        assert asks(client, headers=two).status == 401, "several could be meant"


@pytest.mark.fast
def test_carts_need_a_token_and_claims_are_passed_on(lb, server, tmp_path):
    routes = [{"match": {"authenticated": False}, "redirect": {"to": "https://id.example/?to={path}", "status": 303}},
              {"pool": "back", "claims": {"X-User": "sub", "X-Role": "role"}}]
    proxy = lb(shop_config(server(tells_what_it_got()), directory=tmp_path, routes=routes))
    with proxy.connect() as client:
        sent_away = ask(client, path="/cart")
        assert (sent_away.status, sent_away.header("location")) == (303, "https://id.example/?to=/cart")
        got = ask(client, SHOP.token("ada"), headers=["X-User: root", "X_User: root", "x-role: admin"])
        lines = got.body.decode().split("\n")
        assert "x-user: ada" in [line.lower() for line in lines]
        assert "root" not in got.body.decode() and "admin" not in got.body.decode()


@pytest.mark.fast
def test_who_has_not_logged_in_is_sent_to_do_so_wherever_the_pool_finds_tokens(lb, server, tmp_path):
    routes = [{"match": {"path": "/login"}, "respond": {"status": 200, "body": "log in"}},
              {"match": {"authenticated": False}, "jwt": "shop", "redirect": {"to": "/login", "status": 303}},
              {"pool": "back"}]
    proxy = lb(shop_config(*named(server, "a"), directory=tmp_path, routes=routes, sticky={"from": "cookie:session"}))
    with proxy.connect() as client:
        assert ask(client).status == 303
        assert asks(client, headers=[f"Cookie: session={SHOP.token('ada', lasts_s=-600)}"]).status == 303
        assert asks(client, headers=[f"Cookie: session={SHOP.token('ada')}"]).body == b"a"
        assert ask(client, path="/login").body == b"log in"


@pytest.mark.fast
def test_a_short_secret_is_warned_of(lb, server, tmp_path):
    (tmp_path / "short").write_text("secret")
    jwt = {"shop": {"algorithms": ["HS256"], "secret_file": str(tmp_path / "short")}}
    proxy = lb(shop_config(*named(server, "a"), directory=tmp_path, routes=[{"jwt": "shop", "pool": "back"}], jwt=jwt))
    with proxy.connect() as client:
        assert ask(client, Secret(b"secret").token("ada")).status == 200
    proxy.wait_log("a secret of 6 bytes")


@pytest.mark.fast
@pytest.mark.parametrize("source,header", [("cookie:session", "Cookie: a=b; session={}"),
                                           ("header:X-Token", "X-Token: {}")])
def test_tokens_come_by_cookies_and_headers_too(lb, server, tmp_path, source, header):
    proxy = lb(shop_config(*named(server, "a", "b"), directory=tmp_path, sticky={"from": source}))
    with proxy.connect() as client:
        heard = {asks(client, headers=[header.format(SHOP.token("ada"))]).body for _ in range(6)}
        assert len(heard) == 1
        assert {ask(client, SHOP.token("ada")).body for _ in range(2)} == {b"a", b"b"}, "not looked for there"


def test_keys_that_rotate_are_followed_and_a_bad_file_keeps_the_old(lb, server, tmp_path):
    old, new = RsaKey(tmp_path, "old"), RsaKey(tmp_path, "new")
    file = tmp_path / "jwks.json"

    def publish(text):
        (tmp_path / "fresh").write_text(text)
        (tmp_path / "fresh").rename(file)

    publish(json.dumps({"keys": [old.jwk()]}))
    jwt = {"shop": {"algorithms": ["RS256"], "jwks_file": str(file)}}
    proxy = lb(shop_config(*named(server, "a"), directory=tmp_path, routes=[{"jwt": "shop", "pool": "back"}], jwt=jwt))
    by_old, by_new = old.token("ada"), new.token("ada")
    with proxy.connect() as client:
        assert ask(client, by_old).status == 200 and ask(client, by_new).status == 401
        publish(json.dumps({"keys": [old.jwk(), new.jwk()]}))
        wait_until(lambda: ask(client, by_new).status == 200, "the new key is known")
        assert ask(client, by_old).status == 200
        publish("{")
        wait_until(lambda: "its keys stay" in proxy.log(), "the bad file is told of")
        assert ask(client, by_new).status == 200
        publish(json.dumps({"keys": [new.jwk()]}))
        wait_until(lambda: ask(client, by_old).status == 401, "the old key is gone, whatever is remembered")


def test_carts_stay_while_pictures_go_to_the_idlest(lb, server, tmp_path):
    def application(name, cpu):
        load = f'endpoint-load-metrics: JSON {{"cpu_utilization": {cpu}}}'
        return serves(lambda _: response(name.encode(), headers=[load]))

    servers = [{"name": name, "address": server(application(name, cpu))}
               for name, cpu in (("a", 0.7), ("b", 0.6), ("c", 0.1))]
    routes = [{"match": {"path": "/pictures/*"}, "pool": "back", "sticky": "off", "balance": "least_load"},
              {"pool": "back"}]
    proxy = lb(shop_config(*servers, directory=tmp_path, routes=routes))
    users = [f"user-{number}" for number in range(60)]
    carts = homes(proxy, users)
    assert set(carts.values()) == {"a", "b", "c"}
    with proxy.connect() as client:
        idlest = next(user for user in users if carts[user] == "c")
        assert ask(client, SHOP.token(idlest)).body == b"c"
        expect_idlest(b"c", (
            ask(client, SHOP.token(user), method="PUT", path="/pictures/1", body=b"x" * 100).body for user in users))
    assert homes(proxy, users) == carts


@pytest.mark.fast
def test_a_route_counts_by_who_has_logged_in(lb, server, tmp_path):
    routes = [{"pool": "back", "jwt": "shop",
               "limits": {"request_rate": {"rate": "1/m", "burst": 3}, "key": "claim:sub"}}]
    client = lb(shop_config(server(names_itself_in_http("a")), directory=tmp_path, routes=routes)).connect()
    for user in ("ann", "bob"):
        got = [ask(client, SHOP.token(user, jti=str(i))).status for i in range(5)]
        assert got == [200] * 3 + [429] * 2, "whatever token it brings"
    assert ask(client).status == 401
