"""Live pickers and look-ups: contacts, accounts, opportunities, items."""
