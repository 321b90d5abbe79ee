"""The roles a language model plays: each a prompt file and a typed output."""
