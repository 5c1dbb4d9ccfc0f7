# SPDX-License-Identifier: MIT
"""The mark `timing`, a plugin of pytest: what lb does too early or too late it does each time, what a busy
machine does it does not. A test so marked, which compares with the clock, has three tries with all its
fixtures anew. Only a comparison that failed is tried again: never what an lb leaves behind that ended
badly, that a sanitizer complained of or that was refused a system call, which its fixture finds, nor any
other error. Each further try is printed, and is a property of the test in the results, where scripts/tally
counts it."""

import sys

import pytest
from _pytest.runner import runtestprotocol

TRIES = 3


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    item.call_failed = call.when == "call" and call.excinfo is not None
    report.is_comparison = call.when == "call" and call.excinfo is not None and isinstance(
        call.excinfo.value, (AssertionError, TimeoutError))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if not item.get_closest_marker("timing"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(TRIES)):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [report for report in reports if report.failed]
        if left == 0 or not failed or not all(report.is_comparison for report in failed):
            break
        why = getattr(failed[0].longrepr, "reprcrash", None)
        why = why.message.partition("\n")[0] if why else "failed"
        print(f"{item.nodeid} is tried again: {why}", file=sys.__stderr__)
        item.user_properties.append(("retried", why))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
