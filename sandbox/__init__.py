"""A local stand-in for Kaseya BMS: strict about the published contract, with faults on demand."""
