"""Information extraction keeps the core statistics only."""

from unaiverse_lab import Stats


class WStats(Stats):
    """Nothing beyond what every world counts."""
