"""How many BMS calls the same work costs: ours, a naive integration, and the floor that no planner gets below."""
