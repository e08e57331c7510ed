"""Judging stems: figures and pictures."""
