"""Which tests of `requests` are not run with our session in place of its own."""

OUTSIDE = "connects to 10.255.255.1, which is outside; tests/test_hostile.py has a deaf server on loopback"
POOLS = "counts urllib3's pools, which the wire does not use; tests/test_transport.py shows that they are kept apart"

EVER = {
    "TestTimeout::test_connect_timeout[timeout0]": OUTSIDE,
    "TestTimeout::test_connect_timeout[timeout1]": OUTSIDE,
    "TestTimeout::test_total_timeout_connect[timeout0]": OUTSIDE,
    "TestTimeout::test_total_timeout_connect[timeout1]": OUTSIDE,
    "TestRequests::test_https_warnings": "skips itself where urllib3 is not version 1",
}
OF_WIRE = {
    "TestPreparingURLs::test_different_connection_pool_for_tls_settings_verify_True": POOLS,
    "TestPreparingURLs::test_different_connection_pool_for_tls_settings_verify_bundle_expired_cert": POOLS,
    "TestPreparingURLs::test_different_connection_pool_for_tls_settings_verify_bundle_unexpired_cert": POOLS,
}
SKIPS = {"urllib3": EVER, "wire": {**EVER, **OF_WIRE}, "short": {**EVER, **OF_WIRE}}
"""Each way → each test → why."""

OF_ENVIRONMENT = "proxy_env or proxy_from_environment or netrc or env_cert or pyopenssl_redirect or http_downgrade"
"""Tests about proxies, passwords, certificates that the environment tells of: left to the ways that heed it."""
