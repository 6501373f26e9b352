"""Tables, repositories and the unit of work: all SQL of the house, and its only commit."""
