# SPDX-License-Identifier: MIT
"""HTTP as programs speak it that nobody wrote for a test: curl with a gigabyte, git, a browser; and
many clients that pipeline."""

import hashlib
import os
import re
import shutil
import subprocess

import pytest
from lbtest import free_port, in_background, wait_until
from lbtest.http import http_config, names_itself_in_http, read_message, request, response, serves

PIECE, PIECES = 10_000_000, 100  # a gigabyte
LIGHTTPD = shutil.which("lighttpd", path="/usr/sbin:/usr/bin")


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, timeout=350, check=False,
                          **options)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def pieces():
    """A gigabyte of which no part looks like another."""
    noise = os.urandom(PIECE - 8)
    for i in range(PIECES):
        yield i.to_bytes(8, "big") + noise


@pytest.fixture
def gigabyte(tmp_path):
    """(file, hash)"""
    file, digest = tmp_path / "gigabyte", hashlib.sha256()
    with file.open("wb") as out:
        for piece in pieces():
            digest.update(piece)
            out.write(piece)
    yield file, digest.hexdigest()
    file.unlink()


def sends(file):
    """A server that answers whatever it is asked with this file."""

    def behaviour(connection):
        read_message(connection)
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {file.stat().st_size}\r\n\r\n".encode())
        with file.open("rb") as source:
            connection.socket.sendfile(source)
        connection.finish()

    return behaviour


def body_pieces(stream):
    """The body of the request that a stream begins with, in pieces."""
    headers = {}
    stream.readline()
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    if headers.get(b"transfer-encoding") == b"chunked":
        while size := int(stream.readline(), 16):
            yield stream.read(size)
            assert stream.readline() == b"\r\n"
        assert stream.readline() == b"\r\n"
        return
    left = int(headers[b"content-length"])
    while left > 0:
        piece = stream.read(min(left, 1 << 20))
        left -= len(piece)
        yield piece


def hashes_uploads(connection):
    """A server that answers with the hash of what it was sent."""
    digest = hashlib.sha256()
    with connection.socket.makefile("rb", 1 << 20) as stream:
        for piece in body_pieces(stream):
            digest.update(piece)
    connection.send(response(digest.hexdigest().encode())).finish()


def with_tls(config, authority):
    certificate = authority.issue("real", "real.example", "127.0.0.1")
    config["listeners"]["front"]["tls"] = {"certificates": [certificate]}
    return config


@pytest.fixture(params=["clear", "tls"])
def proxied(request, lb, authority):
    """proxied(server): the URL of an lb before it, and what curl needs to trust it."""

    def start(server):
        config = http_config(server)
        if request.param == "clear":
            return f"http://{lb(config).address}/", []
        return f"https://{lb(with_tls(config, authority)).address}/", ["--cacert", authority.ca]

    return start


@pytest.mark.seconds(400)
def test_curl_downloads_a_gigabyte_whole(proxied, server, gigabyte):
    file, digest = gigabyte
    url, trust = proxied(server(sends(file)))
    curl = subprocess.Popen(["curl", "-sS", "--fail", *map(str, trust), url],
                            stdout=subprocess.PIPE)
    got = hashlib.sha256()
    while piece := curl.stdout.read(1 << 20):
        got.update(piece)
    assert curl.wait() == 0 and got.hexdigest() == digest


@pytest.mark.seconds(400)
@pytest.mark.parametrize("how", [[], ["-H", "Transfer-Encoding: chunked"]])
def test_curl_uploads_a_gigabyte_whole(proxied, server, gigabyte, how):
    file, digest = gigabyte
    url, trust = proxied(server(hashes_uploads))
    assert run("curl", "-sS", "--fail", *trust, *how, "-T", file, url).decode() == digest


class Lighttpd:
    """A web server from Debian: files of a directory, and `git http-backend` below /git/."""

    def __init__(self, directory):
        self.address = f"127.0.0.1:{free_port()}"
        self.www, self.git = directory / "www", directory / "git"
        self.www.mkdir()
        self.git.mkdir()
        config = directory / "lighttpd.conf"
        config.write_text(f"""\
server.modules = ("mod_alias", "mod_cgi", "mod_setenv")
server.document-root = "{self.www}"
server.bind = "127.0.0.1"
server.port = {self.address.rpartition(":")[2]}
server.errorlog = "{directory}/error.log"
server.upload-dirs = ("{directory}")
mimetype.assign = (".html" => "text/html", ".js" => "text/javascript", ".svg" => "image/svg+xml")
$HTTP["url"] =~ "^/git/" {{
  alias.url = ("/git/" => "/usr/lib/git-core/git-http-backend/")
  cgi.assign = ("" => "")
  setenv.set-environment = ("GIT_PROJECT_ROOT" => "{self.git}", "GIT_HTTP_EXPORT_ALL" => "1",
                            "REMOTE_USER" => "somebody")
}}
""")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", LIGHTTPD, "-D", "-f", str(config)],
            stderr=subprocess.DEVNULL)
        wait_until(lambda: subprocess.run(["curl", "-s", f"http://{self.address}/"], check=False,
                                          capture_output=True).returncode == 0, "lighttpd")

    def stop(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def web(tmp_path):
    if LIGHTTPD is None:
        pytest.skip("lighttpd is not installed")
    server = Lighttpd(tmp_path)
    yield server
    server.stop()


def test_git_clones_and_pushes(lb, web, tmp_path):
    def git(*arguments, at=tmp_path):
        return run("git", "-c", "user.name=a", "-c", "user.email=a@example", "-c",
                   "init.defaultBranch=main", *arguments, cwd=at, env={**os.environ,
                                                                       "GIT_TERMINAL_PROMPT": "0"})

    git("init", "--bare", web.git / "app.git")
    git("config", "http.receivepack", "true", at=web.git / "app.git")
    git("init", "work")
    work = tmp_path / "work"
    for i in range(200):
        (work / f"file{i}").write_bytes(os.urandom(20_000))
    git("add", ".", at=work)
    git("commit", "-q", "-m", "first", at=work)
    url = f"http://{lb(http_config(web.address)).address}/git/app.git"
    git("push", "-q", url, "main", at=work)  # 4 MB, in chunks
    git("clone", "-q", "-b", "main", url, "clone")
    git("fsck", at=tmp_path / "clone")
    assert git("rev-parse", "HEAD^{tree}", at=tmp_path / "clone") == git(
        "rev-parse", "HEAD^{tree}", at=work)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_browser_loads_a_page_with_many_resources(lb, web, authority, tmp_path, scheme):
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    images, scripts = 240, 60
    for i in range(images):
        color = f"#{i:06x}"
        (web.www / f"{i}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg"><path fill="{color}" d="{"M0 0" * 2000}"/></svg>')
    for i in range(scripts):
        (web.www / f"{i}.js").write_text("n++;" + "//" + "x" * 3000)
    (web.www / "index.html").write_text(
        "<!doctype html><script>n = 0</script>" +
        "".join(f'<img src="{i}.svg" onload="n++" onerror="n = -999">' for i in range(images)) +
        "".join(f'<script src="{i}.js"></script>' for i in range(scripts)) +
        "<script>onload = () => document.body.innerHTML = 'loaded ' + n</script>")
    log = tmp_path / "access.log"
    config = http_config(web.address, listener={"access_log": {"output": str(log)}})
    if scheme == "https":
        with_tls(config, authority)
    page = run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               "--ignore-certificate-errors", f"--user-data-dir={tmp_path}/profile", "--dump-dom",
               f"{scheme}://{lb(config).address}/index.html").decode()
    assert re.search(r"loaded (-?\d+)", page)[1] == str(images + scripts)
    wait_until(lambda: len(log.read_text().splitlines()) > images + scripts, "a line of each request")
    protocol = '"HTTP/2.0"' if scheme == "https" else '"HTTP/1.1"'
    assert all(protocol in line for line in log.read_text().splitlines())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_pipelined_requests_of_many_clients_are_not_mixed_up(lb, server, authority, scheme):
    def answer(got):
        number = int(got.start.split()[1].removeprefix("/"))
        return response(f"{number} {hashlib.sha256(got.body).hexdigest()} ".encode() +
                        b"x" * (number * 7919 % 20_000))

    config = http_config(*(server(serves(answer)) for _ in range(3)))
    if scheme == "https":
        with_tls(config, authority)
    proxy = lb(config)

    def client(first):
        connection = (proxy.connect() if scheme == "http" else
                      authority.connect(proxy.address, "real.example"))
        for batch in range(first, first + 40, 10):
            numbers = range(batch, batch + 10)
            bodies = {number: b"%d " % number * (number % 50) for number in numbers}
            connection.send(b"".join(request("PUT" if bodies[number] else "GET", f"/{number}",
                                             body=bodies[number]) for number in numbers))
            for number in numbers:
                got = read_message(connection)
                assert got.status == 200
                told, digest, rest = got.body.split(b" ")
                assert int(told) == number
                assert digest.decode() == hashlib.sha256(bodies[number]).hexdigest()
                assert rest == b"x" * (number * 7919 % 20_000)
        connection.close()
        return 40

    running = [in_background(client, 1000 * i) for i in range(26)]
    assert sum(one.result(150) for one in running) == 26 * 40


def test_a_reload_under_load_fails_no_request_over_tls(lb, server, authority):
    servers = [server(names_itself_in_http(name)) for name in "abc"]
    config = with_tls(http_config(*servers[:2]), authority)
    proxy = lb(config)
    done = []

    def load():
        count, client = 0, None
        while not done:
            client = client or authority.connect(proxy.address, "real.example")
            client.send(request())
            got = read_message(client)
            assert got.status == 200 and got.body in (b"a", b"b", b"c")
            count += 1
            if got.header("connection") == "close":
                client.close()
                client = None
        if client:
            client.close()
        return count

    running = [in_background(load) for _ in range(4)]
    for turn in range(6):
        config["pools"]["back"]["servers"] = [one.address for one in servers[turn % 2:turn % 2 + 2]]
        proxy.reload(config)
    done.append(True)
    assert all(one.result() > 0 for one in running)
