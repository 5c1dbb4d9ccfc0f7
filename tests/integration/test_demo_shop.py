# SPDX-License-Identifier: MIT
"""The example servers over http: carts that stay, pictures that go where there is least to do."""

import asyncio
import collections
import json
import random
import re
import time

import pytest
from lbtest import connect, free_port, run_lb, wait_until
from lbtest.example import ExampleServer
from lbtest.http import asks, http_config


@pytest.fixture
def example():
    """example(name, MIN_LATENCY="5ms"): an example server."""
    servers = []

    def start(name, **environment):
        servers.append(ExampleServer(name, **environment))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(address, **request):
    with connect(address) as client:
        return asks(client, **request)


def cart(address, user, **request):
    got = ask(address, path="/cart", headers=[f"X-User: {user}"], **request)
    assert got.status == 200
    return json.loads(got.body)


@pytest.mark.fast
def test_the_shop_of_lb_demo(lb):
    process = lb("", arguments=("demo", "--port", str(free_port())))
    shop = wait_until(lambda: re.search(r"curl -H .* http://(127\.0\.0\.1:\d+)/cart", process.output()),
                      "the shop is told of")[1]
    wait_until(lambda: re.search(r"(\d+% healthy *){3}$", process.output(), re.MULTILINE), "servers are healthy")
    homes = {f"user-{number}": None for number in range(60)}
    for item in ("a pear", "a fig"):
        for user, home in homes.items():
            got = cart(shop, user, method="POST", body=item.encode())
            assert home in (None, got["server"]), "a user stays"
            homes[user] = got["server"]
    for user, home in homes.items():
        assert cart(shop, user) == {"server": home, "user": user, "items": ["a pear", "a fig"]}
    assert set(homes.values()) == {"red", "green", "blue"}
    picture = random.randbytes(200_000)
    put = ask(shop, method="PUT", path="/pictures/1", body=picture)
    assert put.status == 201 and put.header("endpoint-load-metrics") is None
    assert ask(shop, path="/pictures/1").body == picture


@pytest.mark.fast
def test_one_example_server_as_the_environment_says(example):
    broken = example("broken", FAILURE_RATE="100%", MIN_LATENCY="0", MAX_LATENCY="0")
    got = broken.ask()
    assert got.status == 503 and json.loads(got.body)["server"] == "broken"
    assert got.header("endpoint-load-metrics").startswith("JSON {")
    assert broken.health()["status"] == "ok"
    slow = example("slow", MIN_LATENCY="200ms", MAX_LATENCY="250ms")
    began = time.monotonic()
    assert json.loads(slow.ask().body)["server"] == "slow"
    assert time.monotonic() - began >= 0.19


@pytest.mark.fast
@pytest.mark.parametrize("arguments,variable,message", [
    (["--serve", "nowhere"], {}, r"--serve: 'nowhere' is no address"),
    (["--serve", "127.0.0.1:0"], {"FAILURE_RATE": "often"}, r"FAILURE_RATE: 'often'"),
    ([], {"MAX_LATENCY": "1 day"}, r"MAX_LATENCY: '1 day'"),
])
def test_wrong_usage_is_told(arguments, variable, message):
    done = run_lb("demo", *arguments, env=variable)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(f"lb demo: {message}", done.stderr)


class Balancer:
    """Who is asked: always the one whose choice is on trial."""

    def __init__(self, address):
        self._address = address

    def choose(self):
        return self._address

    def note(self, address, head):
        """What came with an answer."""


class Naive:
    """A balancer of its own: always the server that reported the least."""

    def __init__(self, servers):
        self._loads = {server.address: 0.0 for server in servers}

    def choose(self):
        return min(self._loads, key=self._loads.get)

    def note(self, address, head):
        self._loads[address] = float(re.search(rb'"cpu_utilization":([0-9.e-]+)', head)[1])


async def offer(choice, per_second):
    """Requests at random times, whether those before are answered or not, until it is cancelled."""
    idle = collections.defaultdict(list)

    async def one():
        address = choice.choose()
        host, port = address.split(":")
        known = idle[address]
        reader, writer = known.pop() if known else await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        choice.note(address, head)
        length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])
        await reader.readexactly(length)
        known.append((reader, writer))

    tasks = set()
    due = time.monotonic()
    try:
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.add(asyncio.create_task(one()))
            due += random.expovariate(per_second)
    finally:
        for task in tasks:
            if task.done():
                task.result()
            else:
                task.cancel()


STRENGTHS = (0.5, 0.75, 1, 1, 1, 1.25, 1.5, 2)
COST_MS = 40


def busiest(before, after):
    """The busiest server's share of what all did between two looks, by the mean."""
    shares = [late - early for early, late in zip(before, after)]
    return max(shares) * len(shares) / sum(shares)


@pytest.mark.timing
def test_eight_uneven_servers_are_about_equally_busy_at_any_time(lb, example):
    """Each has one processor and reports every two seconds how busy it was. Eight others of the same
    strengths show what comes of asking always whoever reported the least."""
    farms = [[example(f"{farm}{number}", MIN_LATENCY=f"{COST_MS / strength / 2}ms",
                      MAX_LATENCY=f"{COST_MS / strength * 1.5}ms")
              for number, strength in enumerate(STRENGTHS)] for farm in ("ours", "naive")]
    proxy = lb(http_config(*farms[0], pool={"balance": "least_load"}, runtime={"workers": 2}))
    busy = ([], [])
    # Opened before there is a crowd: a server that is run over accepts nobody.
    doors = [[connect(server.address) for server in farm] for farm in farms]

    def look():
        for farm, seen in zip(doors, busy):
            seen.append([json.loads(asks(door, path="/health").body)["busyMs"] for door in farm])

    async def story():
        loop = asyncio.get_running_loop()
        per_second = 0.6 * sum(STRENGTHS) * 1000 / COST_MS
        loads = [loop.create_task(offer(choice, per_second))
                 for choice in (Balancer(proxy.address), Naive(farms[1]))]
        await asyncio.sleep(8)  # four reports, to learn from
        for _ in range(9):
            await loop.run_in_executor(None, look)
            await asyncio.sleep(2)
        for load in loads:
            load.cancel()  # the naive one's servers have work for long after
        for outcome in await asyncio.gather(*loads, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome

    asyncio.run(story())
    overall = [busiest(seen[0], seen[-1]) for seen in busy]
    pauses = [[busiest(*pair) for pair in zip(seen, seen[1:])] for seen in busy]
    means = [sum(each) / len(each) for each in pauses]
    for name, *figures in zip(("least_load", "naive"), overall, pauses):
        print(f"{name}: busiest / mean {figures[0]:.2f}, "
              f"within two seconds {[f'{share:.2f}' for share in figures[1]]}")
    assert overall[0] <= 1.3
    assert means[0] <= 1.4, "nobody has a turn of being run over"
    assert means[1] > means[0], "as they have without a formula"
