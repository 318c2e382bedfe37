"""Answers: one loop that writes them (decode), many at once (generate), and the chat (engine)."""
