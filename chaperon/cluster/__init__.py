"""One run on many processes and machines: a master, its workers, the protocol between them."""
