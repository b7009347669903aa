"""Four people at a round table, one microphone, and two screens."""

from pathlib import Path

from unaiverse_lab.events import ChatInterfaceWorld

SCREENS = Path(__file__).parent / "screens.json"


class Roundtable(ChatInterfaceWorld):
    """The microphone decides who speaks; the world decides who holds it."""

    def __init__(self) -> None:
        about = "People talk at a round table. Only who holds the microphone is heard."
        super().__init__("Roundtable", about, id="roundtable", screens_config_path=SCREENS)
