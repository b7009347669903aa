"""The broadcaster: it has no model, it passes messages on."""

from unaiverse_lab import Agent, Interaction, action


class WAgent(Agent):
    """Relays what a user says to all the other users."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    @action
    async def broadcast_message(self, interaction: Interaction | None = None) -> bool:
        """Send the text that came with a request to every user but its author, prefixed with the author's name."""
        if interaction is None:
            return self.because("there is no message to relay")
        author = self.all_agents.get(interaction.requester)
        if author is None:
            return True
        texts = self.stdin.get(uuid=interaction.uuid, requested_by="broadcast_message")
        if texts is None:
            return self.because("the text has not arrived yet")
        if not isinstance(texts[0], str):
            return True
        others = [peer for peer in self.get_agents_by_role("user") if peer != interaction.requester]
        if not others:
            return True
        name = author.get_static_profile()["node_name"]
        return await self.send(target=others, data_samples={"proc_output_0": f"**{name}:** {texts[0]}"}, num_steps=1)
