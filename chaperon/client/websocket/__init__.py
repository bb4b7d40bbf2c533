"""WebSockets of a session: opened, measured, never left open."""
