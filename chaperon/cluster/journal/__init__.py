"""Windows that the master has not acknowledged yet, kept on disk for the case that a worker process dies."""
