# SPDX-License-Identifier: MIT
"""Doing two things at once: what runs beside the test ends with a result or an exception."""

import threading


class Background:
    """A call that runs in a thread of its own. result() waits for it and returns what it returned,
    or raises what it raised."""

    def __init__(self, function, arguments):
        self._value = None
        self._error = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function, arguments):
        try:
            self._value = function(*arguments)
        except BaseException as error:  # handed on to whoever asks for the result
            self._error = error

    def result(self, timeout_s=100.0):
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"still running after {timeout_s:g} s"
        if self._error is not None:
            raise self._error
        return self._value


def in_background(function, *arguments):
    return Background(function, arguments)
