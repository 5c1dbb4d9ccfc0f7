# SPDX-License-Identifier: MIT
"""The files of this repository, as the house rules see them: what people wrote, nothing built."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
IGNORED = {".git", "build", "corpus", "__pycache__", ".pytest_cache", ".cache", "results", "node_modules", "built"}

# What each folder of src/ may include besides itself. app may include all.
MAY_INCLUDE = {
    "common": set(),
    "net": {"common"},
    "config": {"common"},
    "pool": {"net", "config", "common"},
    "health": {"pool", "net", "config", "common"},
    "l4": {"pool", "net", "config", "common"},
    "l7": {"pool", "net", "config", "common"},
    "admin": {"config", "common", "net"},
    "app": {"admin", "l7", "l4", "health", "pool", "net", "config", "common"},
    "main.cc": {"app", "admin", "config", "common"},
}

# Where a third-party header may be included: the first pattern that fits the header counts.
_LIBEVENT = r"net/"
_LIBEVENT_CLIENTS = r"(net|health|admin)/"
HOMES = [
    (r"event2/(bufferevent|buffer|http|keyvalq|event)[a-z_]*\.h", _LIBEVENT_CLIENTS),
    (r"event2/.*", _LIBEVENT),
    (r"openssl/.*", r"(net/tls_|l7/jwt)"),
    (r"yaml-cpp/.*", r"config/"),
    (r"CLI/.*", r"main\.cc$"),
    (r"ares[a-z_]*\.h", r"net/resolver"),
    (r"libpq-fe\.h", r"health/postgres_probe"),
    (r"mysql\.h", r"health/mysql_probe"),
    (r"spdlog/.*", r"common/log"),
    (r"sanitizer/.*", r"common/slab"),
    (r"nlohmann/.*", r"common/json"),
    (r"fmt/.*", r""),
    (r"seccomp\.h", r"app/system_calls"),
    (r"nghttp2/.*", r"(l7/http2_|health/grpc_)"),
]
# Headers of the system, which any file may include: C++'s own have no dot and no slash.
SYSTEM = re.compile(
    r"[a-z_0-9]+|(sys|netinet|arpa|linux|net|asm)/[a-z_0-9/]+\.h|"
    r"(unistd|fcntl|signal|sched|poll|pthread|netdb|syslog|grp|pwd|time|getopt|malloc|dirent|errno|"
    r"string|stdlib|limits|ifaddrs|termios|ucontext)\.h"
)


def kept_files(*suffixes):
    """Every kept file with one of these suffixes ("" for none), as paths from the root, sorted."""
    found = []
    pending = [ROOT]
    while pending:
        for entry in pending.pop().iterdir():
            if entry.name in IGNORED or entry.is_symlink():
                continue
            if entry.is_dir():
                pending.append(entry)
            elif entry.suffix in suffixes:
                found.append(entry.relative_to(ROOT))
    return sorted(found)


def cxx_files(*folders):
    """The C++ files below these folders of the repository."""
    return [file for file in kept_files(".h", ".cc") if file.parts[0] in folders]


def scripts():
    """Shell and Python, by suffix or by first line."""
    return [
        file
        for file in kept_files(".py", ".sh", "")
        if file.suffix or (ROOT / file).read_bytes().startswith(b"#!")
    ]


def lines(file):
    return (ROOT / file).read_text(encoding="utf-8").splitlines()


def layer(file):
    """The folder of src/ that a file belongs to; main.cc stands for itself."""
    return pathlib.Path(file).parts[1]


def includes(file):
    """[(line number, header, "quoted" | "angled")] of a C++ file."""
    found = []
    for number, line in enumerate(lines(file), 1):
        match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
        if match:
            found.append((number, match[1] or match[2], "quoted" if match[1] else "angled"))
    return found
