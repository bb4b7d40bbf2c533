"""The live view of a run on a terminal: what it shows, how it is drawn, the keys that change the load."""
