"""Windows to totals, limits, verdict and report."""
