# SPDX-License-Identifier: MIT
"""The story that stickiness is for: a shop keeps each user's cart in the memory of one server, while
pictures go to whoever has the least to do."""

import hashlib
import json

import pytest
from lbtest.http import asks, expect_idlest, http_config, response, serves
from lbtest.tokens import Secret

SHOP = Secret()
USERS = [f"user-{number}" for number in range(1000)]


class Shop:
    """One server of the shop: it knows its users by the header that lb sets, and nobody's cart but
    those that were filled here."""

    def __init__(self, name, cpu):
        self.name, self.cpu = name, cpu
        self.carts = {}

    def __call__(self, got):
        path = got.start.split()[1]
        load = f'endpoint-load-metrics: JSON {{"cpu_utilization": {self.cpu}}}'
        if path.startswith("/pictures/"):
            body = {"server": self.name, "sha256": hashlib.sha256(got.body).hexdigest()}
        else:
            cart = self.carts.setdefault(got.header("x-user"), [])
            if got.start.startswith("POST"):
                cart.append(got.body.decode())
            body = {"server": self.name, "user": got.header("x-user"), "cart": cart}
        return response(json.dumps(body).encode(), headers=[load])


@pytest.fixture
def shops():
    return [Shop("a", 0.6), Shop("b", 0.5), Shop("c", 0.1)]


@pytest.fixture
def front(lb, server, tmp_path, shops):
    (tmp_path / "secret").write_bytes(SHOP.secret)
    servers = [{"name": shop.name, "address": server(serves(shop))} for shop in shops]
    config = http_config(*servers, pool={"sticky": {"by": "jwt", "jwt": "shop"}}, runtime={"workers": 2},
                         jwt={"shop": {"algorithms": ["HS256"], "secret_file": str(tmp_path / "secret")}})
    listener = config["listeners"]["front"]
    del listener["pool"]
    listener["routes"] = [
        {"match": {"path": "/pictures/*"}, "pool": "back", "sticky": "off", "balance": "least_load"},
        {"match": {"authenticated": False}, "redirect": {"to": "https://id.example/login", "status": 303}},
        {"match": {"path": "/cart"}, "pool": "back", "claims": {"X-User": "sub"}},
    ]
    return lb(config)


def bearer(user, **more):
    return [f"Authorization: Bearer {SHOP.token(user, **more)}"]


def test_carts_stay_whole_while_tokens_are_refreshed_and_pictures_go_to_the_idlest(front, shops):
    with front.connect() as client:
        assert asks(client, path="/cart").status == 303, "who has not logged in is sent to do so"
        for user in USERS:
            assert asks(client, method="POST", path="/cart", headers=bearer(user), body=b"tea").status == 200
    homes = {user: shop.name for shop in shops for user in shop.carts}
    assert len(homes) == len(USERS) == sum(len(shop.carts) for shop in shops)
    assert min(len(shop.carts) for shop in shops) > 200, "they are spread"

    # A while later everybody has a new token, and comes over another connection.
    with front.connect() as client:
        for user in USERS:
            added = asks(client, method="POST", path="/cart", headers=bearer(user, jti="refreshed"), body=b"cup")
            assert json.loads(added.body) == {"server": homes[user], "user": user, "cart": ["tea", "cup"]}

    # Pictures, which nobody needs to log in for, have no home.
    picture = b"\x89PNG" + bytes(range(256)) * 800
    with front.connect() as client:
        def put(number):
            headers = bearer(USERS[number]) if number % 2 else []
            stored = json.loads(asks(client, method="PUT", path=f"/pictures/{number}", headers=headers,
                                     body=picture).body)
            assert stored["sha256"] == hashlib.sha256(picture).hexdigest()
            return stored["server"]

        idlest = next(user for user in USERS if homes[user] == "c")
        assert json.loads(asks(client, path="/cart", headers=bearer(idlest)).body)["server"] == "c"
        expect_idlest("c", map(put, range(60)))

    # And the carts are where they were.
    with front.connect() as client:
        for user in USERS[::10]:
            seen = json.loads(asks(client, path="/cart", headers=bearer(user)).body)
            assert seen == {"server": homes[user], "user": user, "cart": ["tea", "cup"]}


@pytest.mark.fast
def test_who_says_to_be_somebody_else_gets_neither_a_cart_nor_a_place(front, shops):
    forger = Secret(b"a secret that the forger made up")
    with front.connect() as client:
        asks(client, method="POST", path="/cart", headers=bearer("ada"), body=b"tea")
        forged = [f"Authorization: Bearer {forger.token('ada')}", "X-User: ada"]
        assert asks(client, path="/cart", headers=forged).status == 303
        assert asks(client, path="/cart", headers=bearer("ada", lasts_s=-61)).status == 303
        eve = json.loads(asks(client, path="/cart", headers=[*bearer("eve"), "X-User: ada"]).body)
        assert (eve["user"], eve["cart"]) == ("eve", [])
