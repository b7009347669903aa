"""The smallest world of events: everybody can reach everybody."""

from unaiverse_lab.events import BaseWorld


class HelloWorld(BaseWorld):
    """A world to try things in."""

    def __init__(self) -> None:
        super().__init__(name="Test World", description="A basic world to test some experiments.", id="hello-world")
