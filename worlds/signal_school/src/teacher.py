"""The teacher: it owns the signals it teaches; all its actions are built in."""

from unaiverse_lab import Agent, Stream
from unaiverse_lab.data import library
from unaiverse_lab.data.library import AllHotLabelStream

SIGNALS = ("smoHfHa", "smoHfLa", "smoLfHa", "smoLfLa", "squHfHa", "squHfLa", "squLfHa", "squLfLa")


class WAgent(Agent):
    """Teaches seven signals, examines on each of them, and at last on the eighth, which it never taught."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def accept_new_role(self, role: int) -> None:
        super().accept_new_role(role)
        if self.get_current_role() != "teacher" or self.find_streams(SIGNALS[0]):
            return
        for name in SIGNALS:
            signal = getattr(library, name)
            self.add_stream(Stream.create(group=name, name="signal", stream=signal()))
            self.add_stream(Stream.create(group=name, name="descriptor", stream=AllHotLabelStream(signal.FEATURES)))
        self.update_streams_in_profile()
