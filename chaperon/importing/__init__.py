"""Import curl commands, HAR recordings, API descriptions and locustfiles as the text of a scenario module."""
