"""How each family of loads starts its visits: open loads by due times, closed loads by users."""
