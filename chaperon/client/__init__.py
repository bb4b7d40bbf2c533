"""The sockets of the target."""
