"""The canonical quote and its pure rules."""
