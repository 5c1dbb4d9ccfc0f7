# SPDX-License-Identifier: MIT
"""Real servers of the protocols that only checks speak."""

import pathlib
import socket
import subprocess
import sys

from lbtest.real import _Server


def _takes_connections(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


class NginxServer(_Server):
    """nginx that answers /health with 200 until it is told to be ill, then with 503; by TLS when it
    has a certificate and its key."""

    STOP = 15

    def __init__(self, certificate=None):
        super().__init__("nginx")
        tls = f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};" if certificate else ""
        (self.directory / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid nginx.pid; error_log stderr;
            events {{}}
            http {{
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{
                    listen 127.0.0.1:{self.port}{" ssl" if tls else ""};
                    server_name app.example; {tls}
                    location /health {{
                        default_type text/plain;
                        if (-f {self.directory}/ill) {{ return 503 "ill"; }}
                        return 200 "well";
                    }}
                }}
            }}""")
        self._start(["nginx", "-p", f"{self.directory}/", "-c", "nginx.conf"])

    def is_ready(self):
        return _takes_connections(self.port)

    def be_ill(self, ill=True):
        if ill:
            (self.directory / "ill").touch()
        else:
            (self.directory / "ill").unlink()


class NsdServer(_Server):
    """NSD, authoritative for the zone example."""

    def __init__(self):
        super().__init__("nsd")
        (self.directory / "zone").write_text(
            "$ORIGIN example.\n$TTL 60\n@ SOA ns admin 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n" +
            "".join(f"many TXT {'x' * 200}{number:03}\n" for number in range(20)) +
            "".join(f"host{number} A 10.0.0.{number}\n" for number in range(100)))
        (self.directory / "nsd.conf").write_text(f"""
server:
    ip-address: 127.0.0.1@{self.port}
    username: ""
    zonesdir: "{self.directory}"
    database: ""
    zonelistfile: "{self.directory}/zones"
    xfrdfile: "{self.directory}/xfrd"
    xfrdir: "{self.directory}"
    pidfile: ""
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: example
    zonefile: zone
""")
        self._start(["nsd", "-d", "-c", str(self.directory / "nsd.conf")])

    def is_ready(self):
        return _takes_connections(self.port)


class GrpcServer(_Server):
    """A gRPC server whose service `well` is SERVING and whose service `ill` is not."""

    def __init__(self):
        super().__init__("grpc")
        # -P: the modules beside it have names that grpc takes for others.
        self._start([sys.executable, "-P", str(pathlib.Path(__file__).with_name("grpc_health.py")), str(self.port)])

    def is_ready(self):
        return _takes_connections(self.port)


def make_certificate(directory, name, days):
    """A certificate for that name, which is its own authority, and its key: two paths."""
    paths = str(directory / f"{name}.pem"), str(directory / f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                    "-days", str(days), "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    return paths
