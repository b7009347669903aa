"""A hotel manager: it welcomes guests in the hall, sends them to floors, and counts the votes."""

import json

from unaiverse_lab import Agent, CompletionReason, Interaction, action

from .hotel import Hotel
from .matchmaking import compute_check_in_proposals
from .votes import opened

MANY = 10_000
"""Requests that may be open at a time."""


class WAgent(Agent):
    """It knows who its guests are and how full the rooms are, but not who is called what at which table."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.hotel = Hotel()
        self.proposals = {}
        self.strangers = {}
        self.banned = set()
        self.guests_ever = {}
        self.told = {}

    def accept_new_role(self, role):
        super().accept_new_role(role)
        self.im.max_interactions = MANY

    async def remove_agent(self, peer_id):
        self.hotel.forget(peer_id)
        self.hotel.close_floor(peer_id)
        self.strangers.pop(peer_id, None)
        await super().remove_agent(peer_id)

    # ------------------------------------------------------------------ the hall

    @action
    async def discover_floor_managers(self) -> bool:
        """Get in touch with floor managers, and follow what they publish."""
        news = False
        for manager in self.get_agents_by_role("floor_manager", handshake_completed=False):
            if manager in self.banned:
                continue
            updates = self.get_stream("floor_updates", manager)
            if not self.knows(manager):
                news = await self.connect_to(manager) or news
            elif manager not in self.subscriptions and updates is not None:
                news = self.follow(manager, [updates.props.to_dict()]) or news
        return news or self.because("there is no new floor manager")

    @action
    async def guest_back_to_hall(
        self, guest: str, decompression_time: float = 60.0, interaction: Interaction | None = None
    ) -> bool:
        """A floor manager tells that a guest is back; it needs some rest."""
        if interaction is None or self.get_role(interaction.requester) != "floor_manager":
            return self.reject(interaction, "only floor managers send guests back")
        if self.knows(guest):
            self.hotel.come_back(guest, self.clock.now + decompression_time)
        return True

    @action
    async def check_in(self, max_guests_per_room: int, max_overbooked_guests: int, patience: float) -> bool:
        """Find a place for those who wait in the hall."""
        now = self.clock.now
        self.hotel.give_up_on(sent_before=now - patience)
        waiting = self.hotel.in_the_hall(self.get_agents_by_role("guest"), now)
        self.proposals = compute_check_in_proposals(
            waiting, self.hotel.occupancy(), self.rng, max_guests_per_room, max_overbooked_guests
        )
        return bool(self.proposals) or self.because(f"{len(waiting)} wait in the hall, nobody can be placed")

    @action
    async def send_to_floor(self, patience: float) -> bool:
        """Tell guests which floor manager to see; which room it gives them is its own affair."""
        for guest, place in self.proposals.items():
            self.hotel.send(guest, place, self.clock.now)
            await self.send(
                "connect_to_floor_manager",
                [guest],
                {"floor_manager": place[0]},
                from_state="hall",
                timeout=patience,
                callback="guest_has_answered",
            )
        self.proposals = {}
        return True

    def guest_has_answered(self, interaction: Interaction) -> None:
        """A guest that does not go is still in the hall."""
        if interaction.completion_reason != CompletionReason.OK:
            for guest in interaction.target:
                self.hotel.trips.pop(guest, None)

    # ------------------------------------------------------------------ news from the floors

    @action
    async def update_hotel(self, max_guests_per_room: int, max_overbooked_guests: int) -> bool:
        """Follow what the floors tell; a floor with a room too crowded is not served any more."""
        news = False
        for manager in self.get_agents_by_role("floor_manager"):
            updates = self.get_stream("floor_updates", manager)
            for sample in updates.read("update_hotel") if updates is not None else ():
                told = json.loads(sample.value)
                if self.hotel.update(manager, sample.tag, told):
                    news = True
                    self.look_for_strangers(manager, told["inserted_guests"])
            if manager in self.hotel.floors and self.hotel.crowded(
                manager, max_guests_per_room + max_overbooked_guests
            ):
                self.banned.add(manager)
                await self.disconnect(manager)
        if self.is_first_manager():
            self.publish_counters(max_guests_per_room)
        return news or self.because("no floor has news")

    def look_for_strangers(self, manager: str, inserted: list) -> None:
        """Note guests who said that we had sent them, and we had not."""
        for _, guest, sponsor in inserted:
            if sponsor == self.get_peer_id() and not self.hotel.arrived(guest):
                self.strangers.setdefault(manager, []).append(guest)

    @action
    async def get_votes(self, min_msgs_from_votee: int) -> bool:
        """Count the votes that floor managers have collected."""
        ballots = [
            vote
            for manager in self.get_agents_by_role("floor_manager")
            if (stream := self.get_stream("votes", manager)) is not None
            for sample in stream.get("get_votes", all_uuids=True)
            for vote in json.loads(sample.value)
        ]
        for vote in ballots:
            for group, record in opened(vote, min_msgs_from_votee):
                self.stats.store_stat("turing_vote", record, group, self.clock.get_time_ms())
        return bool(ballots) or self.because("no votes came in")

    @action
    async def send_violations(self) -> bool:
        """Tell floor managers whom nobody has sent."""
        if not self.strangers:
            return self.because("everybody is where we sent them")
        for manager, guests in self.strangers.items():
            await self.send("apply_violations", [manager], {"guests": guests}, from_state="votes_sent")
        self.strangers = {}
        return True

    # ------------------------------------------------------------------ the house in numbers

    def is_first_manager(self) -> bool:
        """One manager speaks for all: the first by name."""
        return self.get_peer_id() == min(self.get_agents_by_role("hotel_manager", handshake_completed=False))

    def publish_counters(self, max_guests_per_room: int) -> None:
        """Report what has changed."""
        guests = self.get_agents_by_role("guest", handshake_completed=False)
        self.guests_ever.update(dict.fromkeys(guests, True))
        counters = self.hotel.counters(max_guests_per_room)
        counters["hotel_n_agents_waiting"] = max(0, len(guests) - counters["hotel_n_agents_present"])
        counters["n_total_agents"] = len(self.guests_ever)
        for name, value in counters.items():
            if value != self.told.get(name):
                self.stats.store_stat(name, value, None, self.clock.get_time_ms())
        self.told = counters
