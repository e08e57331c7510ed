"""A package, because some of its modules have the same names as others' elsewhere in tests/."""
