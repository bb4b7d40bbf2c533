"""Which tests of `requests` are not run with our session in place of its own."""

POOLS = "counts urllib3's pools, which the session does not use; tests/test_wire.py shows connections are kept apart"
OUTSIDE = "connects to 10.255.255.1, which is outside; tests/test_hostile.py has a deaf server on loopback"

SKIPS = {
    "TestTimeout::test_connect_timeout[timeout0]": OUTSIDE,
    "TestTimeout::test_connect_timeout[timeout1]": OUTSIDE,
    "TestTimeout::test_total_timeout_connect[timeout0]": OUTSIDE,
    "TestTimeout::test_total_timeout_connect[timeout1]": OUTSIDE,
    "TestRequests::test_https_warnings": "skips itself where urllib3 is not version 1",
    "TestPreparingURLs::test_different_connection_pool_for_tls_settings_verify_True": POOLS,
    "TestPreparingURLs::test_different_connection_pool_for_tls_settings_verify_bundle_expired_cert": POOLS,
    "TestPreparingURLs::test_different_connection_pool_for_tls_settings_verify_bundle_unexpired_cert": POOLS,
}
"""Each test → why."""
