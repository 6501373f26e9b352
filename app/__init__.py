"""Quotebridge: the link between a quoting frontend and Kaseya BMS."""
