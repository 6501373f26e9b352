"""Plays the life of a few quotes against the BMS sandbox, through the real webhook."""
