"""Simulation: the engine on a real PostgreSQL, in virtual time, on a BMS that goes wrong as a seed decides."""
