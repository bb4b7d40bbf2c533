"""HTTP/1.1 for `requests` on connections of our own."""
