"""The engine: plans what BMS must become, makes it so step by step, and survives every lost answer."""
