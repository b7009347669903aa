"""A user of the chat room: a person or a model, the machine is the same."""

from unaiverse_lab import Agent, Custom, action
from unaiverse_lab.data.processors import is_genuine_model

TOPICS = ("sport", "the weather", "technology", "having fun", "movies", "songs")


class WAgent(Agent):
    """Reads what the broadcaster relays, and says what a person types or a model generates."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.hub = None
        self.heard_at = 0.0
        self.history = []

    @action
    async def connect_to_broadcaster(self, role: str) -> bool:
        """Get in touch with the broadcaster and remember it."""
        if self.get_stream("processor", data_type="text") is None:
            return self.because("I have no text output, so I have nothing to say it with")
        if not await self.connect_by_role(role, accept_already_connected=True):
            return False
        self.hub = next(iter(self._found_agents))
        self.heard_at = self.clock.now
        return True

    @action
    async def check_messages(
        self, max_silence_seconds: float = 25.0, talk_probability: float = 0.01, history_len: int = 3
    ) -> bool:
        """Read new messages; a model may decide to answer, or to break a long silence."""
        self.behav.get_state().set_msg(None)
        hub_stream = self.get_stream("processor", self.hub, data_type="text")
        if hub_stream is None:
            return self.because("the broadcaster's stream is unknown")

        own_stream = self.get_stream("processor", data_type="text")
        said = {(tag, text) for text, tag, _ in own_stream.get("check_messages", all_uuids=True)}
        heard = [text for text, _, _ in hub_stream.get("check_messages", all_uuids=True)]
        me = self.get_name()
        self.history += [f"**{me}:** {text}" for _, text in sorted(said)] + heard
        self.history = self.history[-history_len:]
        if said or heard:
            self.heard_at = self.clock.now

        if not is_genuine_model(self.proc):
            return True
        users = len(self.get_agents_by_role("user", handshake_completed=False))
        for message in heard:
            called = me.lower() in message.lower()
            if called or users == 2 or self.rng.random() < talk_probability:
                self.stage(self.reply_prompt(message))
                break
        if not heard and users > 1 and self.clock.now - self.heard_at > max_silence_seconds:
            self.heard_at = self.clock.now
            self.stage(f"Nobody has spoken for a while. Start a conversation about {self.rng.choice(TOPICS)}.")
        return True

    @action
    async def generate_and_send(self, samples: int) -> bool:
        """Say what was typed or staged: the processor turns it into a message, the broadcaster relays it."""
        if self.hub is None or not self.knows(self.hub):
            return self.because("I am not in contact with the broadcaster")
        if not await self.process():
            return False
        return await self.send(
            action_name="broadcast_message",
            target=[self.hub],
            streams=["processor"],
            num_steps=samples,
            copy_sys=True,
        )

    def reply_prompt(self, message: str) -> str:
        turns = "\n".join(f"{number}. {turn}" for number, turn in enumerate(self.history, start=1))
        return (
            f"You are {self.get_name()}, chatting in a room. Answer in one short sentence.\n"
            f"The last turns were:\n{turns}\nThe current message is: {message}"
        )

    def stage(self, prompt: str) -> None:
        self.stdin.set("proc_input_0", prompt, uuid=Custom.SYSTEM_INTERACTION_UUID)
