"""Chaos: three replicas killed at random, a database that crashes, a BMS that lies; and a verdict at the end."""
