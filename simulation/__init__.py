"""Simulation: the engine on a real PostgreSQL and a pretended BMS, in virtual time, with every fault a seed can think of."""
