"""WebSockets (RFC 6455) of a session: connect, frames, messages, metrics."""
