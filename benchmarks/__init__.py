"""How fast Chaperon is, beside its peers in one run; `python -m benchmarks --help`."""
