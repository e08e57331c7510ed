"""Processes that end with the one that has started them, and what they tell it."""
