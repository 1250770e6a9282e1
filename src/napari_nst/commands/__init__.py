"""The terminal's commands, a module each. Nothing heavy is imported before one of them needs it."""
