"""A guest: a person or a program, nobody can tell. That is the game."""

import re

from unaiverse_lab import Agent, Custom, Interaction, action

from .prompts import chat_prompt

WAITING = ("wait_for_ready", "wait_for_hall")
"""States that end by themselves."""


class WAgent(Agent):
    """It talks to managers only, and what it knows of other guests is a name and what was said under it.

    A program gets a prompt after each message; a person reads the messages and types.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.max_time = None
        self.hotel_manager = None
        self.last_hotel_manager = None
        self.floor_manager = None
        self.calling = None
        self.sessions = 0
        self.back_at = 0.0
        self.forget_session()

    def forget_session(self) -> None:
        self.fake_name = None
        self.others = []
        self.history = []
        self.lines_said = 0
        self.began_at = None
        self.is_asked_to_vote = False

    def evaluate_profile(self, role, profile):
        """Managers only: whoever lets other guests in gives itself away."""
        return profile.role is not None and not profile.role.endswith("guest")

    # ------------------------------------------------------------------ the hall

    @action
    async def init(self, max_time_in_every_state: float) -> bool:
        """Learn how long to wait before believing to be forgotten."""
        self.max_time = max_time_in_every_state
        return True

    @action
    async def skip_confirmation(self) -> bool:
        """A program is always there; a person has to type something first."""
        return not self.is_human() or self.because("type anything to come in")

    @action
    async def connect_to_hotel_manager(self) -> bool:
        """Call a hotel manager, any, but the last one only if there is no other."""
        managers = self.get_agents_by_role("hotel_manager", handshake_completed=False)
        self.rng.shuffle(managers)
        for manager in sorted(managers, key=lambda one: one == self.last_hotel_manager):
            if await self.connect_to(manager):
                self.calling = manager
                return True
        return self.because("the hotel has no manager")

    @action
    async def hotel_manager_ack(self) -> bool:
        """Wait until the hotel manager has answered."""
        if not self.knows(self.calling):
            return self.because(f"{self.calling} has not answered")
        self.hotel_manager = self.last_hotel_manager = self.calling
        return True

    @action
    async def disconnect_hotel_manager(self) -> bool:
        """Hang up."""
        self.last_hotel_manager = self.calling
        await self.leave()
        return True

    @action
    async def connect_to_floor_manager(self, floor_manager: str, interaction: Interaction | None = None) -> bool:
        """Call the floor manager that the hotel manager has named."""
        if interaction is None or interaction.requester != self.hotel_manager:
            return self.reject(interaction, "that is not my hotel manager")
        self.forget_session()
        self.calling = floor_manager
        return await self.connect_to(floor_manager)

    @action
    async def floor_manager_ack(self) -> bool:
        """Wait until the floor manager has answered."""
        if not self.knows(self.calling):
            return self.because(f"{self.calling} has not answered")
        self.floor_manager = self.calling
        return True

    @action
    async def disconnect_floor_manager(self) -> bool:
        """Hang up, and stay in the hall."""
        await self.disconnect(self.calling)
        return True

    @action
    async def send_guest_sponsor(self) -> bool:
        """Tell the floor manager who has sent us."""
        sponsor = {"hotel_manager": self.hotel_manager}
        return await self.send("get_guest_sponsor", [self.floor_manager], sponsor, from_state="getting_sponsorships")

    # ------------------------------------------------------------------ the room

    @action
    async def goto_room(self, interaction: Interaction | None = None) -> bool:
        """Take a seat."""
        return self.is_told(interaction)

    @action
    async def get_msgs(self, interaction: Interaction | None = None) -> bool:
        """Hear what somebody at the table says."""
        if not self.is_told(interaction):
            return False
        await self.hear(interaction)
        return True

    @action
    async def get_status_msg(
        self,
        tag: str,
        you: str | None = None,
        others: list | None = None,
        joined: str | None = None,
        left: str | None = None,
        interaction: Interaction | None = None,
    ) -> bool:
        """Hear what the manager says: who we are, who is there, that a vote is due."""
        if not self.is_told(interaction):
            return False
        if you is not None:
            self.fake_name, self.others, self.began_at = you, list(others or []), self.clock.now
        if joined is not None:
            self.others.append(joined)
        if left is not None and left in self.others:
            self.others.remove(left)
        self.is_asked_to_vote = self.is_asked_to_vote or tag == "VOTE_REQ_MSG"
        await self.hear(interaction)
        return True

    async def hear(self, interaction: Interaction) -> None:
        """Remember a line; a person reads it, a program gets a prompt and may answer."""
        line = self.stdin.get(uuid=interaction.uuid, requested_by="hear")[0]
        said = re.fullmatch(r"\*\*(\w+):\*\* (.*)", line, re.DOTALL)
        self.history.append((self.clock.now, *said.groups()))
        if self.is_human():
            await self.nop(line)
        else:
            prompt = chat_prompt(self.fake_name, self.others, self.history)
            self.get_stream("processor_in").set(prompt, uuid=Custom.SYSTEM_INTERACTION_UUID)

    @action
    async def process(self, interaction: Interaction | None = None) -> bool:
        """Say something; if the floor manager has asked for it, it is the vote, and goes there at once."""
        asked = interaction is not None and interaction.requester == self.floor_manager
        if asked and not self.is_asked_to_vote:
            return self.because("the question has not arrived yet")
        if not await super().process(interaction):
            return False
        if not asked:
            return True
        self.is_asked_to_vote = False
        vote = f"vote_{interaction.uuid}"
        return await self.send(target=[self.floor_manager], streams=["processor"], copy_sys=True, forced_uuid=vote)

    @action
    async def send_msg(self) -> bool:
        """Let the floor manager pass on what was just said."""
        said = self.get_stream("processor").last(Custom.SYSTEM_INTERACTION_UUID)
        self.history.append((self.clock.now, self.fake_name, said.value))
        self.lines_said += 1
        return await self.send(
            "get_msg_and_broadcast",
            [self.floor_manager],
            streams=["processor"],
            copy_sys=True,
            from_state="collect_msgs",
        )

    @action
    async def goto_voting_booth(self, interaction: Interaction | None = None) -> bool:
        """Leave the table; what was still to be said stays unsaid."""
        if not self.is_told(interaction):
            return False
        self.typed.clear()
        self.get_stream("processor_in").clear_data(Custom.SYSTEM_INTERACTION_UUID)
        return True

    @action
    async def goto_hall(self, interaction: Interaction | None = None) -> bool:
        """The game is over: back to the hall, and good-bye to the floor manager."""
        if not self.is_told(interaction):
            return False
        self.part_later(self.floor_manager)
        self.floor_manager = None
        self.sessions += 1
        self.back_at = self.clock.now
        return True

    def is_told(self, interaction: Interaction | None) -> bool:
        """Whether it is our floor manager that asks; nobody else may."""
        if interaction is None or interaction.requester != self.floor_manager:
            return self.reject(interaction, "that is not my floor manager")
        return True

    # ------------------------------------------------------------------ when things go wrong

    async def on_tick(self) -> None:
        """The watchdog: if a manager is lost, or nothing happens for too long, start again from the door."""
        state = self.behav.get_state_name(consider_limbo=True)
        if self.max_time is None or state == "init":
            return
        mine = (self.hotel_manager, self.floor_manager)
        lost = any(manager is not None and not self.knows(manager) for manager in mine)
        stuck = state not in WAITING and self.behav.get_time_spent_in_current_state() > self.max_time
        if lost or stuck:
            await self.leave()
            await self.behav.act_ghost_transition("wait_for_ready")

    async def leave(self) -> None:
        """Hang up on everybody, and forget."""
        for manager in (self.calling, self.hotel_manager, self.floor_manager):
            if manager is not None:
                await self.disconnect(manager)
        self.calling = self.hotel_manager = self.floor_manager = None
        self.forget_session()
