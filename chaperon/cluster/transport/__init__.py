"""ZeroMQ sockets, keys and addresses between master and workers, and an in-memory twin for tests."""
