"""The master: workers, leases of shares, windows received, the run as a whole."""
