"""Commands of curl: words of a shell, options, requests."""
