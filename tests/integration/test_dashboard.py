# SPDX-License-Identifier: MIT
"""The dashboard at /lb/stats, in a real browser."""

import re
import subprocess

import pytest
from lbtest import Admin, echo, free_port, tcp_config, wait_until
from lbtest.browser import DASHBOARD, Browser, why_not
from lbtest.process import ROOT

TOKEN = "correct-horse-battery"
CHECK = {"interval": "100ms", "fast_interval": "50ms", "timeout": "1s"}


@pytest.fixture(scope="module")
def _browser():
    if why_not():
        pytest.skip(why_not())
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def browser(_browser):
    """The browser; afterwards the page must have been content and have talked to lb alone."""
    yield _browser
    heard = _browser.heard()
    # A refused change is in the console, whatever the page does about it.
    complaints = [line for line in heard["console"] if "401 (Unauthorized)" not in line]
    assert complaints == []
    assert {re.match(r"\w+://[^/]*", url)[0] for url in heard["requests"]
            if not url.startswith("data:")} == {_browser.site}


@pytest.fixture
def site(lb, server, browser):
    """site(): lb with servers a and b, and its dashboard open."""

    def start(token=TOKEN, **look):
        address = f"127.0.0.1:{free_port()}"
        admin = Admin(address, token)
        admin.servers = {name: server(echo) for name in ("a", "b")}
        listed = [{"name": name, "address": one} for name, one in admin.servers.items()]
        settings = {"address": address, **({"token": token} if token else {})}
        admin.lb = lb(tcp_config(*listed, pool={"health_check": CHECK}, admin=settings))
        wait_until(lambda: admin.server("a")["status"] == admin.server("b")["status"] == "healthy",
                   "both are healthy", timeout_s=30)
        browser.site = f"http://{address}"
        browser.open(url=f"http://{address}/lb/stats", **look)
        browser.see(selector='[data-server="a"] .status', text="healthy")
        return admin

    return start


def row(name, part=""):
    return f'[data-server="{name}"] {part}'


def test_a_server_that_dies_is_seen(site, browser):
    admin = site()
    assert browser.text(selector=".verdict") == "healthy"
    with admin.lb.connect() as client:
        assert client.asks(b"hello") == b"hello"
        browser.see(selector=row("a", '[data-label="Open"]'), text="1")
        admin.servers["b"].stop()
        browser.see(selector=row("b", ".status"), text="unhealthy")
        browser.see(selector=".events li", text="back/b")
        browser.see(selector=".count", text="1 of 2 usable")
        assert browser.text(selector=row("a", ".status")) == "healthy"
    words = browser.evaluate(script="document.querySelector('[data-chart=open] .plot').ariaLabel")
    assert re.match(r"Open connections\. open: now \d+, at most 1$", words)


def test_a_drain_is_clicked_and_happens(site, browser):
    admin = site()
    browser.click(selector=row("a", ".action button"))
    browser.see(selector="dialog", text="Changes need a token.")
    browser.fill(selector="dialog input", text="not the right one")
    browser.press(key="Enter")
    browser.see(selector="dialog", text="not the right one")
    assert admin.server("a")["status"] == "healthy"
    browser.fill(selector="dialog input", text=TOKEN)
    browser.press(key="Enter")
    browser.see(selector=row("a", ".status"), text="draining")
    assert admin.server("a")["status"] == "draining"
    browser.see(selector=".toast", text="a drains: no new clients")

    # The last one is not taken out by a slip of the hand.
    browser.click(selector=row("b", ".action button"))
    browser.see(selector="dialog", text="Leave back without a server?")
    browser.press(key="Escape")
    browser.gone(selector="dialog")
    assert admin.server("b")["status"] == "healthy"

    browser.click(selector=".toast button")
    browser.see(selector=row("a", ".status"), text="healthy")
    assert admin.server("a")["status"] == "healthy"


def focus_on(browser, label):
    """Tab by tab to the control of that name."""
    for _ in range(60):
        browser.press(key="Tab")
        at = browser.evaluate(script="(document.activeElement.ariaLabel ?? "
                                     "document.activeElement.innerText ?? '').trim()")
        if at == label:
            return
    raise AssertionError(f"no Tab leads to {label}")


def test_the_keyboard_is_enough(site, browser):
    admin = site()
    focus_on(browser, "Token")
    browser.press(key="Enter")
    browser.see(selector="dialog input:focus")
    browser.type(text=TOKEN)
    browser.press(key="Enter")
    browser.gone(selector="dialog")
    focus_on(browser, "b")  # its details
    browser.press(key="Enter")
    focus_on(browser, "Maintenance")
    browser.press(key="Space")
    browser.see(selector=row("b", ".status"), text="maintenance")
    browser.press(key="Tab")
    browser.see(selector="input[type=number]:focus")
    browser.press(key="Control+a")
    browser.type(text="7")
    browser.press(key="Enter")
    browser.see(selector=row("b", '[data-label="Weight"]'), text="7")
    assert (admin.server("b")["status"], admin.server("b")["weight"]) == ("maintenance", 7)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_and_every_reader(site, browser, scheme):
    site(scheme=scheme)
    browser.click(selector=row("a", ".toggle"))
    browser.see(selector=".details", text="Last check passed")
    for width in (320, 390, 768, 1024, 1440):
        browser.resize(width=width, height=900)
        wide = browser.evaluate(script="document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px on a screen of {width}"
        if width in (390, 1440):
            assert browser.barriers() == []


def test_nothing_but_its_own_script_runs_and_nobody_else_is_asked(site, browser):
    site()
    tried = browser.evaluate(script="""(async () => {
        const blocked = [];
        document.addEventListener("securitypolicyviolation", (one) => blocked.push(one.effectiveDirective));
        await fetch("http://127.0.0.1:1/").catch(() => {});
        document.body.append(Object.assign(document.createElement("script"), {textContent: "window.ran = true"}));
        document.body.append(Object.assign(document.createElement("img"), {src: "http://127.0.0.1:1/a.png"}));
        await new Promise((done) => setTimeout(done, 200));
        return {blocked: blocked.sort(), ran: window.ran === true};
    })()""")
    assert tried == {"blocked": ["connect-src", "img-src", "script-src-elem"], "ran": False}
    browser.open(url=f"{browser.site}/lb/stats")  # what was just blocked is in the old one's console


def test_without_a_token_it_shows_and_does_not_change(site, browser):
    site(token=None)
    browser.see(selector=".hint", text="Nothing can be changed here")
    assert browser.evaluate(script="document.querySelector('.action button').disabled")


def test_off_loopback_it_asks_for_the_token_first(lb, server, browser, authority):
    port = free_port()
    certificate = authority.issue("admin", "localhost", "127.0.0.1")
    lb(tcp_config({"name": "a", "address": server(echo)},
                  admin={"address": f"0.0.0.0:{port}", "token": TOKEN, "tls": dict(certificate)}))
    browser.site = f"https://127.0.0.1:{port}"
    browser.open(url=f"{browser.site}/lb/stats", trusting=True)
    browser.see(selector=".locked", text="to those who have its token")
    assert not browser.evaluate(script="document.body.innerText.includes('back')")
    for token in ("not the right one", TOKEN):
        browser.click(selector=".locked button")
        browser.fill(selector="dialog input", text=token)
        browser.press(key="Enter")
        browser.see(selector=".locked button" if token != TOKEN else row("a", ".status"),
                    text="Another token" if token != TOKEN else "healthy")
    browser.gone(selector=".locked")
    assert browser.barriers() == []


# How long the page was at work without a pause, from when all servers are asked for until it has drawn
# anew three times.
LONGEST_TASK = """new Promise((done) => {
    document.querySelector(".pool button.all").click();
    let longest = 0, drawn = 0;
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) longest = Math.max(longest, task.duration);
    }).observe({type: "longtask", buffered: true});
    new MutationObserver(() => (drawn += 1) > 3 && done(Math.round(longest))).observe(
        document.querySelector(".up"), {subtree: true, characterData: true});
})"""


@pytest.mark.timing
def test_a_thousand_servers_keep_it_quick(lb, browser):
    address = f"127.0.0.1:{free_port()}"
    many = [{"name": f"s{number:03}", "address": f"127.0.{number // 250}.{number % 250 + 1}:1"}
            for number in range(1_000)]
    lb(tcp_config(*many, admin={"address": address, "token": TOKEN}))
    browser.site = f"http://{address}"
    browser.open(url=f"{browser.site}/lb/stats")
    browser.see(selector=row("s000", ".status"), text="healthy")
    # Where nothing else runs it is a small part of that.
    assert browser.evaluate(script=LONGEST_TASK) < 2_000
    drawn = "document.querySelectorAll('[data-server]').length"
    assert browser.evaluate(script=drawn) < 150
    browser.evaluate(script="scrollTo(0, document.body.scrollHeight)")
    browser.see(selector=row("s999", ".status"), text="healthy")
    browser.gone(selector=row("s000"))
    assert browser.evaluate(script=drawn) < 150
    assert browser.barriers() == []
    browser.evaluate(script="scrollTo(0, 0)")
    browser.see(selector=row("s000", ".status"), text="healthy")
    browser.fill(selector=".filter", text="s777")
    browser.see(selector=row("s777", ".status"), text="healthy")
    browser.click(selector=row("s777", ".toggle"))
    browser.see(selector=".details", text="Never checked.")
    browser.fill(selector=".filter", text="s99")
    browser.see(selector=row("s999", ".status"), text="healthy")


def test_programs_get_json_and_people_the_page(lb, server):
    address = f"127.0.0.1:{free_port()}"
    admin = Admin(address)
    lb(tcp_config({"name": "a", "address": server(echo)}, admin={"address": address}))
    page = admin.get("/lb/stats")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Vary"] == "Accept" and "<title>lb</title>" in page.text
    assert page.text == (DASHBOARD / "built/stats.html").read_text()
    stats = admin.get("/lb/stats", headers={"Accept": "application/json"}).data
    assert stats["status"] == "healthy" and stats["changes"] == "no"
    assert [one["name"] for one in stats["servers"]] == ["a"] and stats["servers"][0]["usable"]
    assert stats["listeners"][0]["name"] == "front" and stats["listeners"][0]["times"] == []
    assert stats["pools"][0]["servers"] == {"total": 1, "usable": 1}
    assert admin.ask("POST", "/lb/stats").status == 405
    assert admin.get("/lb/stats?a=1").status == 400


def test_the_page_is_built_of_its_sources(tmp_path):
    """Byte for byte: nobody can slip something into the built file."""
    if why_not():
        pytest.skip(why_not())
    subprocess.run(["node", str(DASHBOARD / "build.mjs"), str(tmp_path)], check=True, timeout=60)
    for name in ("stats.html", "stats.csp"):
        assert (tmp_path / name).read_bytes() == (DASHBOARD / "built" / name).read_bytes(), (
            f"dashboard/built/{name} is not what its sources make: scripts/page")
    assert (ROOT / "scripts/page").exists()


def test_the_demo_says_where_it_is(lb):
    process = lb("", arguments=("demo", "--port", str(free_port())))
    told = wait_until(lambda: re.search(r"^Dashboard: http://(\S+)/lb/stats \(.* token (\S+)\)$",
                                        process.output(), re.MULTILINE), "its address")
    admin = Admin(told[1], told[2])
    names = {one["name"] for one in admin.get("/api/servers").data}
    assert names == {"red", "green", "blue"}
    assert "<title>lb</title>" in admin.get("/lb/stats").text
    red = admin.server("red", pool="demo")["serverId"]
    assert admin.put(f"/api/servers/{red}/weight", {"weight": 2}).status == 200
