"""Every sample of a run one by one: to a function of the author's, or to a file."""
