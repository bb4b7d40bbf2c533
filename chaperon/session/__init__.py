"""One virtual user: HTTP and WebSocket clients, tasks, state, test data, flow of control."""
