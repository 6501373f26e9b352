"""Brings BMS to the newest known state of each quote: plan, apply, settle."""
