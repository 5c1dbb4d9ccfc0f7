# SPDX-License-Identifier: MIT
"""testssl.sh, which looks for what is weak in a TLS server, has nothing to say against a listener."""

import json
import os
import shutil
import subprocess

import pytest
from lbtest import echo, tcp_config

# What a certificate of a public authority has; nobody asks there.
REVOCATION = ("authorityInfoAccess=OCSP;URI:http://127.0.0.1:9/ocsp",
              "crlDistributionPoints=URI:http://127.0.0.1:9/crl")
HARMLESS = {"OK", "INFO", "LOW", "DEBUG"}  # DEBUG: it finds no HTTP, and so it should


@pytest.mark.seconds(900)
@pytest.mark.parametrize("checks", [
    ["--protocols", "--server-preference", "--server-defaults"],
    ["--std", "--fs", "--vulnerable"],
], ids=["settings", "weaknesses"])
def test_testssl_finds_nothing_above_low(lb, server, authority, tmp_path, checks):
    if not shutil.which("testssl"):
        pytest.skip("testssl.sh is not installed")
    certificate = authority.issue("public", "app.example", days=300, extensions=REVOCATION)
    stapled = {**certificate, "ocsp": authority.answer_ocsp("public")}
    proxy = lb(tcp_config(server(echo), listener={"tls": {"certificates": [stapled]}}))
    report = tmp_path / "report.json"
    done = subprocess.run(
        ["testssl", "--quiet", "--warnings", "off", "--color", "0", "--nodns", "none", "--add-ca",
         authority.ca, "--ip", "127.0.0.1", "--jsonfile", report, *checks,
         "app.example:" + proxy.address.rpartition(":")[2]],
        env={**os.environ, "NO_ENGINE": "true"},  # else it may complain of its own openssl
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=880)
    findings = json.loads(report.read_text())
    assert len(findings) > 20, done.stdout + done.stderr
    assert [found for found in findings if found["severity"] not in HARMLESS] == []
