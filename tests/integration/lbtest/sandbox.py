# SPDX-License-Identifier: MIT
"""Whether there is a sandbox here, by others' word than lb's."""

import ctypes
import pathlib

from lbtest.process import BINARY


def is_in_binary():
    """A sanitizer needs what the sandbox refuses; any other build has one."""
    binary = pathlib.Path(BINARY).read_bytes()
    return b"__asan_init" not in binary and b"__tsan_init" not in binary


def kernel_has_landlock():
    """What the kernel answers this process about its version, by landlock_create_ruleset()."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)) > 0
