# SPDX-License-Identifier: MIT
"""SIGHUP: the file changed, connections did not."""

import copy

import pytest
from lbtest import (connect, echo, free_port, hears, in_background, names_itself, refuses,
                    tcp_config, wait_until)


def changed(config, **servers_or_listener):
    """A copy of a configuration with other servers or other settings of its listener."""
    copied = copy.deepcopy(config)
    if "servers" in servers_or_listener:
        copied["pools"]["back"]["servers"] = [
            getattr(one, "address", one) for one in servers_or_listener.pop("servers")]
    copied["listeners"]["front"].update(servers_or_listener)
    return copied


@pytest.mark.fast
def test_a_server_is_added_and_another_removed(lb, server):
    a, b, c = (server(names_itself(name)) for name in "abc")
    config = tcp_config(a, b)
    proxy = lb(config)
    assert {hears(proxy) for _ in range(4)} == {"a", "b"}
    proxy.reload(changed(config, servers=[b, c]))
    assert {hears(proxy) for _ in range(4)} == {"b", "c"}


@pytest.mark.fast
def test_open_connections_stay_with_a_removed_server(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    config = tcp_config(a)
    proxy = lb(config)
    client = proxy.connect()
    assert client.receive_line() == b"a\n"
    proxy.reload(changed(config, servers=[b]))
    assert client.asks(b"still here") == b"still here"
    assert hears(proxy) == "b"


@pytest.mark.fast
def test_a_listener_moves_to_another_port(lb, server):
    config = tcp_config(server(echo))
    proxy = lb(config)
    client = proxy.connect()
    old = proxy.address
    new = f"127.0.0.1:{free_port()}"
    proxy.reload(changed(config, address=new))
    assert proxy.connect(new).asks(b"hello") == b"hello"
    assert client.asks(b"still here") == b"still here"
    wait_until(lambda: refuses(old), "the old port is closed")


@pytest.mark.fast
def test_a_listener_that_keeps_its_port_never_refuses(lb, server):
    config = tcp_config(server(echo))
    proxy = lb(config)
    refused = []

    def client_after_client():
        while not done:
            try:
                with connect(proxy.address) as client:
                    assert client.asks(b"x") == b"x"
            except OSError as error:
                refused.append(error)

    done = []
    busy = in_background(client_after_client)
    for number in range(10):
        timeouts = {"timeouts": {"idle": f"{number + 10}m"}}
        proxy.reload(changed(config, **timeouts))
    done.append(True)
    busy.result()
    assert not refused


@pytest.mark.fast
def test_an_added_listener_serves_and_a_removed_one_refuses(lb, server):
    config = tcp_config(server(names_itself("a")))
    proxy = lb(config)
    second = f"127.0.0.1:{free_port()}"
    both = copy.deepcopy(config)
    both["listeners"]["second"] = {**config["listeners"]["front"], "address": second}
    proxy.reload(both)
    assert hears(proxy) == hears(proxy, second) == "a"
    proxy.reload(config)
    wait_until(lambda: refuses(second), "the removed listener is closed")
    assert hears(proxy) == "a"


@pytest.mark.fast
def test_a_listener_may_get_another_pool(lb, server):
    config = tcp_config(server(names_itself("a")))
    config["pools"]["other"] = {"health_check": "off", "servers": [server(names_itself("b")).address]}
    proxy = lb(config)
    assert hears(proxy) == "a"
    proxy.reload(changed(config, pool="other"))
    assert hears(proxy) == "b"


@pytest.mark.fast
@pytest.mark.parametrize("bad", [
    "listeners: {front: [",
    "listeners: {}\npools: {}\nwhatever: 1\n",
])
def test_a_bad_file_is_reported_and_changes_nothing(lb, server, bad):
    config = tcp_config(server(names_itself("a")))
    proxy = lb(config)
    proxy.reload(bad)
    proxy.wait_log(r"lb\.yaml:\d+:\d+: ")
    assert hears(proxy) == "a"
    proxy.reload(config)
    assert hears(proxy) == "a"


@pytest.mark.fast
def test_a_port_in_use_is_reported_and_changes_nothing(lb, server):
    other = server(echo)
    config = tcp_config(server(names_itself("a")))
    proxy = lb(config)
    proxy.reload(changed(config, address=[proxy.address, other.address]))
    proxy.wait_log(other.address.replace(".", r"\."))
    assert hears(proxy) == "a"


@pytest.mark.fast
def test_changed_workers_are_refused_with_a_message(lb, server):
    config = tcp_config(server(names_itself("a")), runtime={"workers": 1})
    proxy = lb(config)
    proxy.reload({**config, "runtime": {"workers": 2}})
    proxy.wait_log(r"runtime\.workers")
    assert hears(proxy) == "a"


@pytest.mark.fast
def test_many_reloads_leave_nothing_behind(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    one, other = tcp_config(a), None
    proxy = lb(one)
    other = changed(one, servers=[a, b], address=f"127.0.0.1:{free_port()}")
    proxy.reload(other)
    proxy.reload(one)
    before = proxy.fd_count()
    for _ in range(10):
        proxy.reload(other)
        proxy.reload(one)
    wait_until(lambda: proxy.fd_count() <= before, f"back to {before} descriptors")
    assert hears(proxy) == "a"


@pytest.mark.fast
def test_weights_change_without_losing_the_turn(lb, server):
    a, b = server(names_itself("a")), server(names_itself("b"))
    config = tcp_config(a, b)
    proxy = lb(config)
    assert sorted(hears(proxy) for _ in range(4)) == ["a", "a", "b", "b"]
    heavier = copy.deepcopy(config)
    heavier["pools"]["back"]["servers"] = [{"address": a.address, "weight": 3}, b.address]
    proxy.reload(heavier)
    heard = [hears(proxy) for _ in range(8)]
    assert heard.count("a") == 6 and heard.count("b") == 2
