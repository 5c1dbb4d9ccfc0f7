# SPDX-License-Identifier: MIT
"""Real clients and real servers with lb between them."""

import concurrent.futures

from lbtest import tcp_config


def test_postgres_answers_through_lb(lb, postgres):
    proxy = lb(tcp_config(postgres))
    assert postgres.sql("select 6 * 7", address=proxy.address) == "42"
    assert postgres.sql("select sum(x) from generate_series(1, 1000000) x",
                        address=proxy.address) == "500000500000"


def test_a_large_result_of_postgres_arrives_whole(lb, postgres):
    proxy = lb(tcp_config(postgres))
    query = "select md5(x::text) from generate_series(1, 200000) x"
    assert postgres.sql(query, address=proxy.address) == postgres.sql(query)


def test_postgres_is_checked_and_a_dead_neighbour_left_out(lb, postgres, server):
    dead = server()
    dead.go_down()
    proxy = lb(tcp_config(dead, postgres, pool={"health_check": {"interval": "200ms"}}))
    for number in range(6):
        assert postgres.sql(f"select {number}", address=proxy.address) == str(number)


def test_redis_answers_many_clients_through_lb(lb, redis):
    proxy = lb(tcp_config(redis, runtime={"workers": 2}))
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda number: redis.command("SET", f"key{number}", str(number),
                                                      address=proxy.address), range(40)))
    assert [redis.command("GET", f"key{number}") for number in range(40)] == [
        str(number) for number in range(40)]


def test_a_redis_check_asks_for_pong(lb, redis):
    check = {"type": "tcp", "send": "PING\r\n", "expect": "+PONG", "interval": "200ms"}
    proxy = lb(tcp_config(redis, pool={"health_check": check}))
    assert redis.command("PING", address=proxy.address) == "PONG"
