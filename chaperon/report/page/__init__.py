"""The page: a run as charts and tables in one HTML file."""
