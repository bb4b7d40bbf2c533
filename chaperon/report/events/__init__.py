"""The events of a run as a person reads them."""
