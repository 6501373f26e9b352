"""The web console: server-rendered pages for the people who look after connections."""
