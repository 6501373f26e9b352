"""Connections: connect, test and rotate; their settings and the checks of these; secrets at rest."""
