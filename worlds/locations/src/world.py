"""Two rooms: what is said in one is not heard in the other."""

from unaiverse_lab.events import LocationWorld

ROOMS = ["kitchen", "garden"]


class House(LocationWorld):
    """A kitchen and a garden."""

    def __init__(self) -> None:
        super().__init__("House", "A house with two rooms.", ROOMS, id="house")
