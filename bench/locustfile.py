# SPDX-License-Identifier: MIT
"""Users of the shop of "lb demo", for locust (Debian: python3-locust):

    build/release/lb demo --port 8000 &
    locust -f bench/locustfile.py --headless -u 50 -r 10 -t 1m -H http://127.0.0.1:8001

Each user fills a cart, which must be the same cart all along, and uploads and fetches pictures, which
go to whichever server has the least to do. What every server was asked stands at the end."""

import collections
import itertools
import os

from locust import HttpUser, between, events, task

PICTURE = os.urandom(100_000)
numbers = itertools.count(1)
carts, pictures = collections.Counter(), collections.Counter()


class Shopper(HttpUser):
    """Stays with one server for the cart, until that server goes and the cart with it."""

    wait_time = between(0.05, 0.5)

    def on_start(self):
        self.name = f"user-{os.getpid()}-{next(numbers)}"
        self.client.headers["X-User"] = self.name
        self.items, self.home = [], None

    @task(4)
    def fill_cart(self):
        item = f"item {next(numbers)}"
        with self.client.post("/cart", data=item, name="/cart", catch_response=True) as got:
            if got.status_code != 200:
                return got.failure(f"status {got.status_code}")
            cart = got.json()
            carts[cart["server"]] += 1
            if cart["server"] != self.home:
                self.items, self.home = [], cart["server"]
            self.items.append(item)
            if cart["items"] != self.items:
                got.failure("this is another cart")
            if len(self.items) == 100:
                self.client.delete("/cart", name="/cart")
                self.items = []
        return None

    @task(2)
    def upload(self):
        with self.client.put(f"/pictures/{self.name}", data=PICTURE, name="/pictures/*",
                             catch_response=True) as got:
            if got.status_code != 201:
                return got.failure(f"status {got.status_code}")
            pictures[got.json()["server"]] += 1
        return None

    @task(2)
    def download(self):
        with self.client.get(f"/pictures/{self.name}", name="/pictures/*", catch_response=True) as got:
            if got.status_code == 404:
                got.success()  # not uploaded yet
            elif got.content != PICTURE:
                got.failure("this is another picture")


@events.quitting.add_listener
def tell(**_):
    print("carts:", dict(sorted(carts.items())), "pictures:", dict(sorted(pictures.items())))
