"""The demo: the life of a few quotes, played through the real webhook against a BMS sandbox, and then checked."""
