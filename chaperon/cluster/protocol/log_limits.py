"""The log records that a worker sends to its master: how many, how long."""

PER_SECOND = 50
"""Records of one worker that are sent in a second; further ones are counted."""
LONGEST = 2_000
"""Characters that are sent of a record, and of all lines of its traceback."""
MOST_WAITING = 500
"""Records that wait to be sent; a message has at most this many, and one that counts the others."""
