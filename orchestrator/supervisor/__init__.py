"""The process that stays beside the server: the engine's pid, little memory, one loop."""
