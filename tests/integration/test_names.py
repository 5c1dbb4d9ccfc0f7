# SPDX-License-Identifier: MIT
"""Servers by host name: all its addresses serve, and lb follows them as they change."""

import shutil
import socket
import struct
import threading

import pytest
from lbtest import hears, names_itself, tcp_config, wait_until

RUNTIME = {"workers": 2, "drain_timeout": "1s"}
NAME_SERVER = "127.53.0.1"
NAME = "app.test"


class DnsServer(threading.Thread):
    """Answers questions for A records of one name, with a TTL of a second; for others by NXDOMAIN."""

    def __init__(self):
        super().__init__(daemon=True)
        self.addresses = []
        self.fails = False
        self.questions = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((NAME_SERVER, 53))
        self.start()

    def run(self):
        while True:
            question, client = self._socket.recvfrom(512)
            if client[0] == NAME_SERVER:  # close() says so
                return
            self._socket.sendto(self._answer(question), client)

    def _answer(self, question):
        end = question.index(b"\0", 12) + 5
        labels, (kind,) = question[12 : end - 4], struct.unpack("!H", question[end - 4 : end - 2])
        known = labels == b"\x03app\x04test\0"
        self.questions += known
        addresses = self.addresses if kind == 1 and known and not self.fails else []
        code = 2 if self.fails else 0 if known else 3
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(addresses), 0, 0)
        return head + question[12:end] + b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton(address)
            for address in addresses)

    def close(self):
        self._socket.sendto(b"", self._socket.getsockname())
        self.join(5)
        self._socket.close()


@pytest.fixture
def dns():
    server = DnsServer()
    yield server
    server.close()


@pytest.fixture
def machine(tmp_path):
    """A mount namespace with a hosts file and a resolv.conf of its own: what to put before lb."""
    hosts, resolv = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolv.write_text(f"nameserver {NAME_SERVER}\noptions timeout:5 attempts:1\n")

    class Machine:
        inside = ("unshare", "-m", "sh", "-c",
                  'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf &&'
                  ' shift && exec "$@"', str(hosts), str(resolv))

        @staticmethod
        def set_hosts(*lines):
            hosts.write_text("".join(f"{line}\n" for line in ("127.0.0.1 localhost", *lines)))

    return Machine


@pytest.fixture
def own_etc(tmp_path):
    """A mount namespace with a /etc of its own, whose files can be replaced: what to put before lb."""
    etc = tmp_path / "etc"
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)

    class Machine:
        inside = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(etc))

        @staticmethod
        def replace(name, *lines):
            (etc / "new").write_text("".join(f"{line}\n" for line in lines))
            (etc / "new").rename(etc / name)

    return Machine


@pytest.fixture
def three(server):
    """Three servers that say their names, on one port of 127.0.0.11, .12 and .13."""
    first = server(names_itself("11"), address="127.0.0.11:0")
    for last in (12, 13):
        server(names_itself(str(last)), address=f"127.0.0.{last}:{first.port}")
    return first.port


def is_served(proxy):
    with proxy.connect() as client:
        return not client.was_reset and client.ends() is False


def served_by(proxy):
    return {hears(proxy) for _ in range(6)}


def test_all_addresses_of_a_name_serve(lb, machine, three):
    machine.set_hosts(f"127.0.0.11 {NAME}", f"127.0.0.12 {NAME}")
    proxy = lb(tcp_config(f"{NAME}:{three}", runtime=RUNTIME), inside=machine.inside)
    heard = [hears(proxy) for _ in range(8)]
    assert heard.count("11") == heard.count("12") == 4


def test_weight_and_limit_are_those_of_each_address(lb, machine, three):
    machine.set_hosts(f"127.0.0.11 {NAME}", f"127.0.0.12 {NAME}")
    named = {"address": f"{NAME}:{three}", "weight": 3, "max_connections": 4}
    proxy = lb(tcp_config(named, f"127.0.0.13:{three}", runtime=RUNTIME), inside=machine.inside)
    heard = [proxy.connect().receive_line().decode().strip() for _ in range(14)]
    assert [heard[:7].count(name) for name in ("11", "12", "13")] == [3, 3, 1]
    assert [heard.count(name) for name in ("11", "12", "13")] == [4, 4, 6]


def test_a_changed_hosts_file_is_followed(lb, machine, three):
    machine.set_hosts(f"127.0.0.11 {NAME}")
    proxy = lb(tcp_config(f"{NAME}:{three}", runtime=RUNTIME), inside=machine.inside)
    assert served_by(proxy) == {"11"}
    machine.set_hosts(f"127.0.0.11 {NAME}", f"127.0.0.12 {NAME}")
    wait_until(lambda: served_by(proxy) == {"11", "12"}, "the added address serves")


def test_a_removed_address_is_drained_after_two_answers(lb, machine, dns, three):
    dns.addresses = ["127.0.0.11", "127.0.0.12"]
    proxy = lb(tcp_config(f"{NAME}:{three}", runtime=RUNTIME), inside=machine.inside)
    clients = [proxy.connect() for _ in range(4)]
    at = [client.receive_line() for client in clients]
    assert at.count(b"11\n") == at.count(b"12\n") == 2
    before = dns.questions
    dns.addresses = ["127.0.0.12"]
    wait_until(lambda: served_by(proxy) == {"12"}, "the removed one gets nothing new")
    assert dns.questions - before >= 2, "each answer is two questions, or one where IPv6 is off"
    for name, client in zip(at, clients):
        if name == b"11\n":
            client.expect_reset()  # drain_timeout is over
    for name, client in zip(at, clients):
        if name == b"12\n":
            assert client.asks(b"still here") == b"still here"


@pytest.mark.parametrize("trouble", ["failure", "empty"])
def test_an_answer_without_addresses_changes_nothing(lb, machine, dns, three, trouble):
    dns.addresses = ["127.0.0.11"]
    proxy = lb(tcp_config(f"{NAME}:{three}", runtime=RUNTIME), inside=machine.inside)
    client = proxy.connect()
    assert client.receive_line() == b"11\n"
    before = dns.questions
    if trouble == "failure":
        dns.fails = True
    else:
        dns.addresses = []
    wait_until(lambda: dns.questions >= before + 4, "several answers")
    assert served_by(proxy) == {"11"}
    assert client.asks(b"still here") == b"still here"
    dns.fails, dns.addresses = False, ["127.0.0.12"]
    wait_until(lambda: served_by(proxy) == {"12"}, "the next answer is followed")


def test_a_name_that_does_not_resolve_at_start_is_followed_too(lb, machine, dns, three):
    proxy = lb(tcp_config(f"{NAME}:{three}", runtime=RUNTIME), inside=machine.inside)
    proxy.connect().expect_reset()
    dns.addresses = ["127.0.0.13"]

    wait_until(lambda: all(is_served(proxy) for _ in range(6)), "every worker knows its server")
    assert served_by(proxy) == {"13"}


def test_a_reload_keeps_what_is_known_of_a_name(lb, machine, dns, three):
    dns.addresses = ["127.0.0.11"]
    config = tcp_config(f"{NAME}:{three}", runtime=RUNTIME)
    proxy = lb(config, inside=machine.inside)
    client = proxy.connect()
    assert client.receive_line() == b"11\n"
    dns.fails = True
    config["listeners"]["front"]["timeouts"] = {"idle": "5m"}
    proxy.reload(config)
    assert served_by(proxy) == {"11"}
    assert client.asks(b"still here") == b"still here"


def test_lb_starts_where_no_name_server_answers(lb, machine, three):
    proxy = lb(tcp_config(f"{NAME}:{three}", f"127.0.0.13:{three}", runtime=RUNTIME),
               inside=machine.inside)
    assert served_by(proxy) == {"13"}


def test_descriptors_are_set_aside_for_every_address_of_a_name(lb, machine, dns):
    def connections_beside(server):
        proxy = lb(tcp_config(server, runtime={"workers": 1}),
                   inside=("prlimit", "--nofile=400:400", *machine.inside))
        return int(proxy.wait_log(r"max_connections lowered from 100000 to (\d+)")[1])

    dns.addresses = [f"127.0.0.{number}" for number in range(20, 48)]
    fewer = connections_beside("127.0.0.20:9") - connections_beside(f"{NAME}:9")
    assert 27 <= 2 * fewer <= 28, "of two descriptors each"


def test_a_hosts_file_in_the_place_of_another_is_followed(lb, own_etc, three):
    own_etc.replace("hosts", f"127.0.0.11 {NAME}")
    proxy = lb(tcp_config(f"{NAME}:{three}", runtime=RUNTIME), inside=own_etc.inside)
    assert served_by(proxy) == {"11"}
    own_etc.replace("hosts", f"127.0.0.11 {NAME}", f"127.0.0.12 {NAME}")
    wait_until(lambda: served_by(proxy) == {"11", "12"}, "the added address serves", timeout_s=45)


def test_a_resolv_conf_in_the_place_of_another_is_followed(lb, own_etc, dns, three):
    dns.addresses = ["127.0.0.12"]
    options = "options timeout:1 attempts:1"
    own_etc.replace("hosts", "127.0.0.1 localhost")
    own_etc.replace("resolv.conf", "nameserver 127.0.0.254", options)
    proxy = lb(tcp_config(f"{NAME}:{three}", runtime=RUNTIME), inside=own_etc.inside)
    proxy.wait_log("cannot resolve")
    own_etc.replace("resolv.conf", f"nameserver {NAME_SERVER}", options)
    wait_until(lambda: is_served(proxy), "the name resolves", timeout_s=45)
