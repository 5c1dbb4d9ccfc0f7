# SPDX-License-Identifier: MIT
"""Several balancers, one Redis: a user has one server, whichever balancer is asked."""

import signal
import time

import pytest
from lbtest import RedisServer, wait_until
from lbtest.http import asks, http_config, names_itself_in_http
from lbtest.tokens import Secret

USERS = [f"user-{number}" for number in range(40)]


@pytest.fixture
def redis():
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def shop(server):
    """Three servers, by name."""
    return {name: server(names_itself_in_http(name)) for name in "abc"}


def config(shop, redis, only="abc", left_out="", url=None, **store):
    """A balancer that gives new users only these servers, and has none of those left out."""
    servers = [{"name": name, "address": address, "weight": 1 if name in only else 0}
               for name, address in shop.items() if name not in left_out]
    # On a loaded machine an answer may take longer than the default.
    sticky = {"by": "header", "header": "X-User",
              "store": {"redis": url or f"redis://{redis.address}", "timeout": "1s", **store}}
    return http_config(*servers, pool={"sticky": sticky}, runtime={"workers": 2})


def connected(proxy):
    proxy.wait_log(r"connected to redis")
    return proxy


def home(proxy, user):
    with proxy.connect() as client:
        return asks(client, headers=[f"X-User: {user}"]).body.decode()


def homes(proxy, users=USERS):
    return {user: home(proxy, user) for user in users}


def entries(redis):
    return int(redis.command("DBSIZE"))


@pytest.mark.fast
def test_a_user_has_the_same_server_through_either_balancer(lb, shop, redis):
    first = connected(lb(config(shop, redis, only="a")))
    second = connected(lb(config(shop, redis)))
    assert set(homes(first).values()) == {"a"}
    wait_until(lambda: entries(redis) == len(USERS), "all are written")
    assert set(homes(second).values()) == {"a"}, "though it would have spread them itself"
    others = [f"other-{number}" for number in range(40)]
    placed = homes(second, others)
    assert set(placed.values()) == set("abc")
    wait_until(lambda: entries(redis) == len(USERS) + len(others), "the others too")
    assert homes(first, others) == placed


def test_redis_is_asked_over_tls_and_has_to_prove_who_it_is(lb, shop, authority):
    redis = RedisServer(tls=authority.issue("redis", "127.0.0.1"))
    try:
        url = f"rediss://{redis.secure_address}"
        first = connected(lb(config(shop, redis, only="a", url=url, tls={"ca": authority.ca})))
        second = connected(lb(config(shop, redis, url=url, tls={"ca": authority.ca})))
        assert set(homes(first).values()) == {"a"}
        wait_until(lambda: entries(redis) == len(USERS), "all are written")
        assert set(homes(second).values()) == {"a"}
        stranger = lb(config(shop, redis, url=url))  # trusts the system's authorities alone
        stranger.wait_log("redis .*certificate")
        assert set(homes(stranger).values()) == set("abc"), "it decides alone"
    finally:
        redis.stop()


def test_a_balancer_that_was_killed_knows_its_users_again(lb, shop, redis):
    balancers = [connected(lb(config(shop, redis, only=only))) for only in ("ab", "c")]
    placed = homes(balancers[0])
    wait_until(lambda: entries(redis) == len(USERS), "all are written")
    for number in range(len(balancers)):
        balancers[number].kill()
        balancers[number] = connected(lb(config(shop, redis, only="c")))
        assert [homes(balancer) for balancer in balancers] == [placed, placed]


def test_while_redis_is_away_everybody_decides_alone_and_tells_it_later(lb, shop, redis):
    first = connected(lb(config(shop, redis, only="a")))
    before = homes(first)
    wait_until(lambda: entries(redis) == len(USERS), "all are written")
    redis.kill()
    first.wait_log(r"redis 127\.0\.0\.1:\d+: .*; this balancer decides alone meanwhile")
    new = [f"new-{number}" for number in range(20)]
    assert homes(first) == before, "memory is enough"
    placed = homes(first, new)
    assert set(placed.values()) == {"a"}
    redis.start_again()
    wait_until(lambda: entries(redis) == len(USERS) + len(new),
               "a Redis that has lost everything is filled again")
    second = connected(lb(config(shop, redis, only="c")))
    assert homes(second) == before
    assert homes(second, new) == placed


def test_nobody_waits_for_a_redis_that_stands_still(lb, shop, redis):
    first = connected(lb(config(shop, redis, timeout="20ms")))
    known = homes(first)
    redis._process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert homes(first) == known
    took_known = time.monotonic() - began
    new = [f"new-{number}" for number in range(20)]
    began = time.monotonic()
    placed = homes(first, new)
    took_new = time.monotonic() - began
    assert took_new < took_known + len(new) * 0.1 + 3
    first.wait_log(r"no answer in time")
    redis._process.send_signal(signal.SIGCONT)
    wait_until(lambda: entries(redis) == len(USERS) + len(new), "they are written back")
    assert homes(connected(lb(config(shop, redis))), new) == placed


@pytest.mark.parametrize("by", ["header", "jwt"])
def test_who_was_moved_by_one_balancer_has_moved_for_all(lb, shop, redis, tmp_path, by):
    identity = Secret()
    (tmp_path / "secret").write_bytes(identity.secret)
    tokens = {user: identity.token(user) for user in USERS}

    def sticks(left_out=""):
        made = config(shop, redis, left_out=left_out)
        if by == "jwt":
            sticky = made["pools"]["back"]["sticky"]
            made["pools"]["back"]["sticky"] = {"by": "jwt", "jwt": "shop", "store": sticky["store"]}
            made["jwt"] = {"shop": {"algorithms": ["HS256"], "secret_file": str(tmp_path / "secret")}}
        return made

    def homes(proxy):
        """Of users who ask three times, with the same token."""
        found = {}
        for user, token in tokens.items():
            with proxy.connect() as client:
                headers = [f"X-User: {user}", f"Authorization: Bearer {token}"]
                seen = {asks(client, headers=headers).body.decode() for _ in range(3)}
            found[user] = "".join(sorted(seen))
        return found

    first = connected(lb(sticks()))
    second = connected(lb(sticks()))
    placed = homes(first)
    assert set(placed.values()) == set("abc")
    wait_until(lambda: entries(redis) == len(USERS), "all are written")
    assert homes(second) == placed, "and remembers it"
    first.reload(sticks(left_out="b"))
    moved = homes(first)
    for user, server in placed.items():
        assert moved[user] in ("a", "c") if server == "b" else moved[user] == server
    wait_until(lambda: homes(second) == moved, "the other one was told")
    first.reload(sticks())
    assert homes(first) == moved == homes(second), "nobody moves back"


def test_a_login_a_database_and_a_prefix(lb, shop, redis):
    redis.command("CONFIG", "SET", "requirepass", "s@cret")
    url = f"redis://:s%40cret@{redis.address}/3"
    proxy = connected(lb(config(shop, redis, url=url, prefix="shop:")))
    homes(proxy, ["ann"])
    keys = wait_until(lambda: redis.command("-a", "s@cret", "--no-auth-warning", "-n", "3", "KEYS", "*"),
                      "it is written")
    assert keys.startswith("shop:back:")
    life_ms = int(redis.command("-a", "s@cret", "--no-auth-warning", "-n", "3", "PTTL", keys))
    assert 3_500_000 < life_ms <= 3_600_000
    refused = lb(config(shop, redis, url=f"redis://:wrong@{redis.address}"))
    refused.wait_log(r"WRONGPASS")
    assert "wrong" not in refused.log().replace("WRONGPASS", "")
    assert set(homes(refused).values()) == set("abc")
