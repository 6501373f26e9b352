"""What a connection's BMS holds right now, read for people who choose and for quotes that are about to be sent."""

from app.directory.lookups import Directory

__all__ = ["Directory"]
