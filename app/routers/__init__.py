"""HTTP in and out: nothing else in the house knows status codes."""
