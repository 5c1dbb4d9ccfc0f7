# SPDX-License-Identifier: MIT
"""What the bench takes from the kernel: a network of its own, CPU clocks, counted system calls."""

import ctypes
import fcntl
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

# Those that a proxy may make per unit of work; the rest shows as "other".
CALLS = [
    "accept4", "socket", "connect", "bind", "listen", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "epoll_pwait2", "recvfrom", "sendto", "recvmsg", "sendmsg", "recvmmsg",
    "sendmmsg", "read",
    "write", "readv", "writev", "splice", "close", "shutdown", "getsockopt", "setsockopt",
    "getsockname", "getpeername", "ioctl", "fcntl", "pipe2", "futex", "timerfd_settime",
    "clock_gettime", "mmap", "munmap", "madvise", "brk",
]


def enter_own_network(congestion_control):
    """Moves this process, and what it starts from now on, to an empty network namespace.

    It begins without sockets in TIME_WAIT, so that no point pays for the one before it, and its
    settings are its own: the machine's stay as they are.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNET) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
        flags = struct.unpack("16sH14x", answer)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    # Listening ports are below this range. The wide range and the ample TIME_WAIT table keep short
    # connections, of which each leaves two sockets behind, from ever running into either limit.
    write_setting("net/ipv4/ip_local_port_range", "10000 65535")
    write_setting("net/ipv4/tcp_max_tw_buckets", "2000000")
    write_setting("net/ipv4/tcp_congestion_control", congestion_control)
    return True


def write_setting(name, value):
    Path("/proc/sys", name).write_text(value, encoding="ascii")


def read_setting(name):
    return Path("/proc/sys", name).read_text(encoding="ascii").strip()


def process_cpu_s(pids):
    """User and system time of all threads of these processes, by the scheduler's own count."""
    # The clock number of a process, as linux/posix-timers.h makes it: MAKE_PROCESS_CPUCLOCK.
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def softirq_pids(cpu):
    """The kernel thread that takes over network work of this CPU when there is too much of it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() == f"ksoftirqd/{cpu}":
                    return [int(entry.name)]
            except OSError:
                continue
    return []


def cpu_times():
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    return [int(field) for field in fields]


def stolen_share(before, after):
    spent = [b - a for a, b in zip(before, after)]
    return spent[7] / max(1, sum(spent[:8]))


def facts():
    model = next((line.split(":", 1)[1].strip()
                  for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "congestion_control": read_setting("net/ipv4/tcp_congestion_control"),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def perf_events():
    events = ["raw_syscalls:sys_enter"]
    for call in CALLS:
        if Path("/sys/kernel/tracing/events/syscalls", f"sys_enter_{call}").exists():
            events.append(f"syscalls:sys_enter_{call}")
    return events


def count_syscalls(pids, measure):
    """Runs measure() while perf counts; adds the calls per unit, warm-up included on both sides."""
    if shutil.which("perf") is None:
        return {"skipped": "perf is not installed"}
    perf = subprocess.Popen(["perf", "stat", "-x", ";", "-e", ",".join(perf_events()), "-p",
                             ",".join(map(str, pids))],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)  # it says nothing when it is ready
    try:
        point = measure()
    finally:
        perf.send_signal(signal.SIGINT)
        _, text = perf.communicate(timeout=10)
    counts = {}
    for line in text.splitlines():
        fields = line.split(";")
        if len(fields) > 2 and fields[0].isdigit():
            counts[fields[2].removeprefix("syscalls:sys_enter_")] = int(fields[0])
    if "raw_syscalls:sys_enter" not in counts:
        return {"skipped": "perf cannot count system calls here: " + text.strip()[:200]}
    units = max(1, point["all_units"])
    total = counts.pop("raw_syscalls:sys_enter")
    per_unit = {"all": total / units}
    for call, count in sorted(counts.items(), key=lambda item: -item[1]):
        if count / units >= 0.005:
            per_unit[call] = count / units
    other = (total - sum(counts.values())) / units
    if other >= 0.005:
        per_unit["other"] = other
    return {"per_unit": per_unit, "units": units}
