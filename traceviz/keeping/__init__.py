"""Traces in a file that every command reads back, under their own names or under pseudonyms."""
