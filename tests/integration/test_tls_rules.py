# SPDX-License-Identifier: MIT
"""The rules of a listener's TLS, as openssl s_client sees them: one row each."""

import re
from typing import NamedTuple

import pytest
from lbtest import FakeServer, LbProcess, echo, free_port, s_client


@pytest.fixture(scope="module")
def files(authority):
    """Certificates by their name, which is their subject's too."""
    stranger = type(authority)()
    made = {
        "app": authority.issue("app", "app.example"),
        "app_rsa": authority.issue("app_rsa", "app.example", kind="rsa"),
        "wild": authority.issue("wild", "*.shop.example"),
        "exact": authority.issue("exact", "pay.shop.example"),
        "late": authority.issue("late", "pay.shop.example"),
        "common": authority.issue("common", subject="cn.example"),
        "alice": authority.issue("alice"),
        "mallory": stranger.issue("mallory"),
    }
    made["stapled"] = {**authority.issue("stapled", "app.example"),
                       "ocsp": authority.answer_ocsp("stapled")}
    chain = authority.directory / "chain.pem"
    chain.write_text("".join(open(name).read() for name in (made["wild"]["certificate"], authority.ca)))
    made["chained"] = {"certificate": str(chain), "key": made["wild"]["key"]}
    yield made
    stranger.remove()


@pytest.fixture(scope="module")
def ports(authority, files):
    """The ports of one lb that has a listener for each kind of settings."""

    def tls(*names, **settings):
        return {"certificates": [files[name] for name in names], **settings}

    client_auth = {"ca": authority.ca}
    listeners = {
        "names": tls("app", "app_rsa", "wild", "exact", "late", "common"),
        "rsa_first": tls("app_rsa", "app"),
        "modern": tls("app", min_version="1.3"),
        "listed": tls("app", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"),
        "stapled": tls("stapled"),
        "chained": tls("chained"),
        "required": tls("app", client_auth={"mode": "required", **client_auth}),
        "optional": tls("app", client_auth={"mode": "optional", **client_auth}),
        "no_tickets": tls("app", session_tickets=False),
    }
    back = FakeServer(echo)
    ports = {name: free_port() for name in listeners}
    process = LbProcess({
        "listeners": {name: {"address": f"127.0.0.1:{ports[name]}", "protocol": "tcp",
                             "pool": "back", "tls": settings}
                      for name, settings in listeners.items()},
        "pools": {"back": {"servers": [back.address], "health_check": "off"}}}).wait_ready()
    yield ports
    back.hang_up()
    process.close()
    back.stop()


def shows(name):
    return rf"subject=CN = {re.escape(name)}\n"


REFUSED = r"Cipher is \(NONE\)"
NO_CERTIFICATE = "alert handshake failure"
UNKNOWN_AUTHORITY = "alert unknown ca"
DEFAULT = shows("app")


class Row(NamedTuple):
    what: str
    listener: str
    asked: str  # options of s_client; {NAME} is a certificate with its key
    told: str  # a pattern of what it prints; "!": of what it does not


ROWS = [
    # Which certificate.
    Row("an exact name", "names", "-servername app.example", shows("app")),
    Row("a name in capitals", "names", "-servername PAY.shop.EXAMPLE", shows("exact")),
    Row("a wildcard's name", "names", "-servername a.shop.example", shows("wild")),
    Row("exact before wildcard", "names", "-servername pay.shop.example", shows("exact")),
    Row("a wildcard is one label", "names", "-servername a.b.shop.example", DEFAULT),
    Row("a wildcard is not no label", "names", "-servername shop.example", DEFAULT),
    Row("another name", "names", "-servername other.example", DEFAULT),
    Row("no name", "names", "-noservername", DEFAULT),
    Row("a common name", "names", "-servername cn.example", shows("cn.example")),
    Row("TLS 1.2 by name", "names", "-servername a.shop.example -tls1_2", shows("wild")),
    Row("a client of RSA, 1.3", "names", "-servername app.example -sigalgs RSA-PSS+SHA256",
        shows("app_rsa")),
    Row("a client of ECDSA, 1.3", "names", "-servername app.example -sigalgs ECDSA+SHA256",
        shows("app")),
    Row("a client of RSA, 1.2", "names",
        "-servername app.example -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", shows("app_rsa")),
    Row("a client of ECDSA, 1.2", "names",
        "-servername app.example -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", shows("app")),
    Row("a client of RSA without a name", "names", "-noservername -sigalgs RSA-PSS+SHA256",
        shows("app_rsa")),
    Row("ECDSA where a client can use both", "rsa_first", "-servername app.example", shows("app")),
    Row("no certificate for this client", "names",
        "-servername a.shop.example -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", REFUSED),
    Row("a certificate with its chain", "chained", "-showcerts",
        r"(?s)(BEGIN CERTIFICATE.*){2}.*Verify return code: 0 \(ok\)"),
    # Versions and ciphers.
    Row("TLS 1.3", "names", "-tls1_3", "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384"),
    Row("TLS 1.2", "names", "-tls1_2", r"New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"),
    Row("the older key exchange", "names", "-servername app.example -tls1_2 -cipher "
        "DHE-RSA-AES256-GCM-SHA384", "Cipher is DHE-RSA-AES256-GCM-SHA384"),
    Row("no TLS 1.1", "names", "-tls1_1 -cipher ALL:@SECLEVEL=0", REFUSED),
    Row("no TLS 1.0", "names", "-tls1 -cipher ALL:@SECLEVEL=0", REFUSED),
    Row("no TLS 1.2 below min_version", "modern", "-tls1_2", REFUSED),
    Row("TLS 1.3 at min_version", "modern", "", "TLSv1.3"),
    Row("no RSA key exchange", "names", "-tls1_2 -cipher AES128-GCM-SHA256:AES128-SHA", REFUSED),
    Row("no CBC", "names", "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256", REFUSED),
    Row("a listed cipher", "listed", "-tls1_2", "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"),
    Row("a cipher that is not listed", "listed", "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256",
        REFUSED),
    Row("X25519 before P-256", "names", "-groups P-256:X25519", "Server Temp Key: (X25519|ECDH, prime256v1)"),
    Row("no compression", "names", "-tls1_2", "Compression: NONE"),
    Row("no renegotiation", "names", "-tls1_2", "Secure Renegotiation IS supported"),
    Row("the extended master secret", "names", "-tls1_2", "Extended master secret: yes"),
    Row("no ALPN for a tcp listener", "names", "-alpn h2,http/1.1", "No ALPN negotiated"),
    # What comes with the certificate.
    Row("a staple", "stapled", "-status", "OCSP Response Status: successful"),
    Row("a staple, TLS 1.2", "stapled", "-status -tls1_2", "OCSP Response Status: successful"),
    Row("no staple", "names", "-status", "OCSP response: no response sent"),
    Row("tickets", "names", "-tls1_2", "TLS session ticket lifetime hint"),
    Row("no tickets", "no_tickets", "-tls1_2", "!TLS session ticket"),
    # Certificates of clients. TLS 1.3 tells of a refusal behind the handshake: test_tls.py.
    Row("a required certificate", "required", "-tls1_2 {alice}", "Cipher is ECDHE"),
    Row("no required certificate", "required", "-tls1_2", NO_CERTIFICATE),
    Row("a required one of others", "required", "-tls1_2 {mallory}", UNKNOWN_AUTHORITY),
    Row("the authorities are named", "required", "-tls1_2 {alice}",
        r"Acceptable client certificate CA names\nCN = Test CA"),
    Row("an optional certificate", "optional", "-tls1_2 {alice}", "Cipher is ECDHE"),
    Row("no optional certificate", "optional", "-tls1_2", "Cipher is ECDHE"),
    Row("an optional one of others", "optional", "-tls1_2 {mallory}", UNKNOWN_AUTHORITY),
    Row("no certificate asked for", "names", "{alice}", "No client certificate CA names sent"),
]


@pytest.mark.fast
@pytest.mark.parametrize("row", ROWS, ids=[row.what.replace(" ", "_") for row in ROWS])
def test_s_client_sees(ports, authority, files, row):
    pairs = {name: f"-cert {pair['certificate']} -key {pair['key']}" for name, pair in files.items()}
    said = s_client(f"127.0.0.1:{ports[row.listener]}", "-CAfile", authority.ca,
                    *row.asked.format(**pairs).split())
    unwanted = row.told.startswith("!")
    assert bool(re.search(row.told.removeprefix("!"), said)) != unwanted, said
