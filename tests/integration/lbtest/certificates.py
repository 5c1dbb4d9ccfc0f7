# SPDX-License-Identifier: MIT
"""An authority of the tests' own, made by openssl, and clients that speak TLS."""

import pathlib
import re
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

from lbtest.connection import TIMEOUT_S, Connection, is_ready, parse

_KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "rsa": ["-newkey", "rsa:2048"]}


class Authority:
    """Signs certificates into a directory: NAME.pem with its key NAME.key; itself is ca.pem."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="lbtest-ca-"))
        self._openssl("req", "-x509", *_KEYS["ec"], "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
                      "-subj", "/CN=Test CA", "-days", "400")
        self.ca = str(self.directory / "ca.pem")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, timeout=60,
                       capture_output=True)

    def issue(self, name, *hosts, kind="ec", subject=None, days=20, extensions=()):
        """{"certificate": FILE, "key": FILE}, as lb.yaml lists it. An earlier one of the same name
        is replaced."""
        self._openssl("req", *_KEYS[kind], "-nodes", "-keyout", f"{name}.key.new", "-out",
                      f"{name}.csr", "-subj", f"/CN={subject or name}")
        names = [f"IP:{host}" if re.fullmatch(r"[\d.]+|.*:.*", host) else f"DNS:{host}" for host in hosts]
        extensions = ["basicConstraints=CA:FALSE", *extensions,
                      *(["subjectAltName=" + ",".join(names)] if names else [])]
        (self.directory / "extensions").write_text("\n".join(extensions) + "\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-days", str(days), "-extfile", "extensions", "-out",
                      f"{name}.pem.new")
        for suffix in ("pem", "key"):
            (self.directory / f"{name}.{suffix}.new").rename(self.directory / f"{name}.{suffix}")
        return {"certificate": str(self.directory / f"{name}.pem"),
                "key": str(self.directory / f"{name}.key")}

    def answer_ocsp(self, name):
        """An OCSP response that calls the certificate good, as a file."""
        serial = subprocess.run(["openssl", "x509", "-in", f"{name}.pem", "-noout", "-serial"],
                                cwd=self.directory, check=True, capture_output=True, text=True)
        line = f"V\t491231235959Z\t\t{serial.stdout.strip().partition('=')[2]}\tunknown\t/CN={name}\n"
        (self.directory / "index.txt").write_text(line)
        self._openssl("ocsp", "-issuer", "ca.pem", "-cert", f"{name}.pem", "-reqout", f"{name}.req")
        self._openssl("ocsp", "-index", "index.txt", "-rsigner", "ca.pem", "-rkey", "ca.key", "-CA",
                      "ca.pem", "-reqin", f"{name}.req", "-respout", f"{name}.ocsp", "-ndays", "2")
        return str(self.directory / f"{name}.ocsp")

    def client(self, certificate=None, version=None, alpn=None):
        """The settings of a client that trusts this authority."""
        context = ssl.create_default_context(cafile=self.ca)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # an end without close_notify is an error
        if certificate:
            context.load_cert_chain(certificate["certificate"], certificate["key"])
        if version:
            context.minimum_version = context.maximum_version = version
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def connect(self, address, name="app.example", context=None, session=None):
        """A TLS client's connection."""
        family, target = parse(address)
        raw = socket.socket(family, socket.SOCK_STREAM)
        raw.settimeout(TIMEOUT_S)
        raw.connect(target)
        context = context or self.client()
        context.check_hostname = bool(name)
        return TlsConnection(context.wrap_socket(raw, server_hostname=name, session=session,
                                                 suppress_ragged_eofs=False))

    def remove(self):
        shutil.rmtree(self.directory)


class TlsConnection(Connection):
    """Its socket is an ssl.SSLSocket. One thread may send while another receives: the socket alone
    would let two threads into one connection of OpenSSL (Python before 3.13), which breaks it."""

    def __init__(self, secured):
        super().__init__(secured)
        self._turn = threading.Lock()

    def _send_some(self, data):
        return self._in_turns(lambda: self.socket.send(data))

    def _receive_some(self, size):
        return self._in_turns(lambda: self.socket.recv(size))

    def _in_turns(self, call):
        while True:
            with self._turn:
                timeout_s = self.socket.gettimeout()
                self.socket.settimeout(0)
                try:
                    return call()
                except ssl.SSLWantReadError:
                    awaited = select.POLLIN
                except ssl.SSLWantWriteError:
                    awaited = select.POLLOUT
                finally:
                    self.socket.settimeout(timeout_s)
            if not is_ready(self.socket, awaited, timeout_s):
                raise TimeoutError("timed out")


def s_client(address, *options, said=b""):
    """What `openssl s_client` prints for one connection that says `said`."""
    done = subprocess.run(["openssl", "s_client", "-connect", address, *options], input=said,
                          capture_output=True, timeout=60)
    return (done.stdout + done.stderr).decode(errors="replace")
