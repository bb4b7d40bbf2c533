"""One run on many processes and machines: a master, its workers, and the protocol between them."""
