"""TCP and TLS streams to the target: resolve, connect, secure, time, count."""
