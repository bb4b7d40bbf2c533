"""Performers: start the visits of a share, open loads by due times, closed loads by users."""
