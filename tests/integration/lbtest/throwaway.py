# SPDX-License-Identifier: MIT
"""A copy of this machine to install things on: what is written there, and what runs there, is gone
with it. Root."""

import functools
import pathlib
import subprocess

# Over the machine's own files, which nobody can change from inside. Only loopback is reachable.
_SET_UP = """
set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/written" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/written,workdir=$0/work" "$0/root"
mount -t proc proc "$0/root/proc"
mount --rbind /dev "$0/root/dev"
mount -t tmpfs tmpfs "$0/root/run"
ip link set lo up
echo ready
exec sleep infinity
"""


class Throwaway:
    """A mount, network and process namespace whose root is an overlay."""

    def __init__(self, directory):
        """directory: an empty one, where the overlay is mounted; it looks empty from outside."""
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork",
             "--kill-child", "sh", "-c", _SET_UP, str(directory)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self._holder.stdout.readline() != "ready\n":
            raise OSError(self._holder.communicate(timeout=30)[1])
        pid = self._holder.pid
        first = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        self.inside = ("nsenter", "--target", first, "--mount", "--net", "--pid",
                       "chroot", f"{directory}/root")

    def run(self, *command, stdin=b"", timeout_s=60):
        """Runs a command inside; returns its exit code and all that it wrote."""
        done = subprocess.run([*self.inside, *command], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout_s,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})
        return done.returncode, done.stdout.decode()

    def do(self, *command, **options):
        """The same for a command that must not fail; returns what it wrote."""
        code, output = self.run(*command, **options)
        assert code == 0, output
        return output

    def start(self, *command, **options):
        """A process inside, as subprocess.Popen starts it."""
        return subprocess.Popen([*self.inside, *command], **options)

    def write(self, path, content):
        self.do("sh", "-c", f"cat > {path}", stdin=content)

    def close(self):
        self._holder.kill()
        self._holder.communicate(timeout=30)


@functools.cache
def can_be_had():
    """Whether this process may make one: many containers forbid it even to root."""
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c",
         "mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c && "
         "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/a,workdir=/mnt/b /mnt/c"],
        capture_output=True, timeout=30)
    return done.returncode == 0
