"""Intake: from the bytes of a delivery to a verified, canonical quote event."""
