"""Two agents, two tools: one makes a matrix, the other finds its determinant."""

from unaiverse_lab.events import BaseWorld


class Collaboration(BaseWorld):
    """Everybody can reach everybody."""

    def __init__(self) -> None:
        super().__init__("Collaboration", "Two agents share the work that a user gives them.", id="collaboration")
