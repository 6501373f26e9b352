"""What the rows about lanes share: a house on a fresh database, lanes that are due, and work that only counts."""
