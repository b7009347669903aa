"""Says numbers to all the others, and notes down what it hears."""

from unaiverse_lab import Agent
from unaiverse_lab.core.envelope import Body, SupplyEnded
from unaiverse_lab.core.records import Said


class WAgent(Agent):
    """Counts from 0 to ``until``, ``at_once`` numbers a tick, as soon as ``crowd`` members are there."""

    crowd = 5
    at_once = 20
    until = 2000

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.said = 0

    async def on_tick(self) -> None:
        if len(self.link.roster) < self.crowd:
            return
        for _ in range(min(self.at_once, self.until - self.said)):
            for peer in self.link.roster:
                if peer != self.link.peer_id:
                    self.link.post(peer, SupplyEnded(str(self.said), "counted"))
            self.said += 1

    async def receive(self, sender: str, body: Body) -> None:
        if not isinstance(body, SupplyEnded):
            await super().receive(sender, body)
            return
        link = self.link
        link.record(Said(link.clock.tick, link.clock.now, link.name, f"{sender} {body.uuid}"))
