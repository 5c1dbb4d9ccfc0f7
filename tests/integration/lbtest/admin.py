# SPDX-License-Identifier: MIT
"""The admin API, as a program uses it."""

import collections
import http.client
import json
import re
import socket


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def data(self):
        assert self.json["success"] is True, self.text
        return self.json["data"]

    @property
    def error(self):
        assert self.json["success"] is False, self.text
        return self.json["error"]


class Admin:
    """Calls at one admin address, each on a connection of its own."""

    def __init__(self, address, token=None, tls=None):
        """tls: the ssl.SSLContext to speak it by."""
        self.address = address
        self.token = token
        self.tls = tls

    def ask(self, method, path, body=None, headers=None, timeout_s=20):
        """body: what is to be sent as JSON, or text to send as it is."""
        if self.address.startswith("unix:"):
            connection = _UnixConnection(self.address[5:], timeout_s)
        elif self.tls:
            connection = http.client.HTTPSConnection(self.address, timeout=timeout_s, context=self.tls)
        else:
            connection = http.client.HTTPConnection(self.address, timeout=timeout_s)
        fields = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        try:
            connection.request(method, path, body=text, headers={**fields, **(headers or {})})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def put(self, path, body, **options):
        return self.ask("PUT", path, body, **options)

    def server(self, name, pool="back"):
        """The server of this name as GET /api/servers lists it."""
        return next(server for server in self.get(f"/api/servers?pool={pool}").data
                    if server["name"] == name)

    def ended(self):
        """How many client connections have ended for each reason, over all listeners."""
        count = collections.Counter()
        for reason, number in re.findall(r'^lb_connections_ended_total\{.*reason="(.*?)".*\} (\d+)$',
                                         self.get("/metrics").text, re.MULTILINE):
            count[reason] += int(number)
        return +count

    def set_state(self, name, state):
        return self.put(f"/api/servers/{self.server(name)['serverId']}/state", {"state": state})
