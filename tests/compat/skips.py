"""Which tests of `requests` are not run with our session in place of its own."""

OUTSIDE = "connects to 10.255.255.1, which is outside; tests/test_hostile.py has a deaf server on loopback"

SKIPS = {
    "TestTimeout::test_connect_timeout[timeout0]": OUTSIDE,
    "TestTimeout::test_connect_timeout[timeout1]": OUTSIDE,
    "TestTimeout::test_total_timeout_connect[timeout0]": OUTSIDE,
    "TestTimeout::test_total_timeout_connect[timeout1]": OUTSIDE,
    "TestRequests::test_https_warnings": "skips itself where urllib3 is not version 1",
}
"""Each test → why."""
