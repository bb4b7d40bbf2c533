"""Connections to the target: HTTP, WebSocket, and the network stack under both."""
