"""A floor manager: it seats guests under false names, carries their words, and takes their votes."""

import json

from unaiverse_lab import Agent, CompletionReason, Interaction, Stream, action

from .identity import identity
from .matchmaking import compute_check_in_proposals
from .rooms import AT_TABLE, IN_BOOTH, JUST_ARRIVED, JUST_IN_BOOTH, TOLD_TO_JOIN, TOLD_TO_VOTE, Floor, Room, Seat
from .rules import MANAGER
from .votes import sealed, survey

MANY = 10_000
"""Requests that may be open at a time."""
LONGEST_LINE = 500


class WAgent(Agent):
    """All that guests hear of each other goes through its hands: a line, and the name under which it was said."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.floor = Floor()
        self.sponsors = {}
        self.on_the_way = []
        self.ballots = {}
        self.update = 0
        self.updated_at = None

    def accept_new_role(self, role):
        super().accept_new_role(role)
        self.im.max_interactions = MANY
        self.add_stream(Stream(name="chat", data_type="text"))
        self.add_stream(Stream(name="votes", data_type="text"))
        self.add_stream(Stream(name="floor_updates", data_type="text", pubsub=True))

    def may_subscribe(self, peer_id, name):
        """The updates say who sits where: they are for hotel managers."""
        return self.get_role(peer_id) == "hotel_manager"

    async def remove_agent(self, peer_id):
        self.sponsors.pop(peer_id, None)
        found = self.floor.find(peer_id)
        if found is not None:
            room, seat = found
            self.floor.remove(peer_id)
            if seat.status == AT_TABLE:
                await self.tell(room.others_at_table(peer_id), "DISCO_MSG", f"{seat.name} was cut off.", left=seat.name)
        await super().remove_agent(peer_id)

    # ------------------------------------------------------------------ finding a seat

    @action
    async def get_guest_sponsor(self, hotel_manager: str, interaction: Interaction | None = None) -> bool:
        """A guest says which hotel manager has sent it."""
        if interaction is None or self.get_role(hotel_manager) != "hotel_manager":
            return self.reject(interaction, "that is no hotel manager")
        self.sponsors[interaction.requester] = hotel_manager
        return True

    @action
    async def check_in(self, rooms_per_floor: int, max_guests_per_room: int, max_overbooked_guests: int) -> bool:
        """Give a seat, and a name, to each guest that has none."""
        self.floor.open_rooms(self.rng, rooms_per_floor)
        waiting = [guest for guest in self.sponsors if self.knows(guest) and self.floor.find(guest) is None]
        proposals = compute_check_in_proposals(
            waiting, self.floor.free_seats(), self.rng, max_guests_per_room, max_overbooked_guests
        )
        for guest, number in proposals.items():
            profile = self.all_agents[guest]
            if self.floor.insert(
                guest, number, identity(profile), profile.is_human, self.sponsors[guest], self.clock.now
            ):
                self.on_the_way.append(guest)
        return bool(self.on_the_way) or self.because(f"{len(waiting)} wait for a seat, nobody got one")

    @action
    async def send_to_room(self, moving_time: float) -> bool:
        """Ask those who got a seat to take it."""
        for guest in self.on_the_way:
            await self.send(
                "goto_room", [guest], from_state="ready_for_room", timeout=moving_time, callback="guest_in_room"
            )
        self.on_the_way = []
        return True

    async def guest_in_room(self, interaction: Interaction) -> None:
        await self.has_moved(interaction, TOLD_TO_JOIN, JUST_ARRIVED)

    async def guest_in_booth(self, interaction: Interaction) -> None:
        await self.has_moved(interaction, TOLD_TO_VOTE, JUST_IN_BOOTH)

    async def has_moved(self, interaction: Interaction, before: str, after: str) -> None:
        """A guest is where it was told to go; one that did not go in time has to leave."""
        for guest in interaction.target:
            found = self.floor.find(guest)
            if found is None or found[1].status != before:
                continue
            if interaction.completion_reason == CompletionReason.OK:
                found[1].become(after, self.clock.now)
            else:
                await self.disconnect(guest)

    # ------------------------------------------------------------------ the table and the booth

    @action
    async def handle_guests_by_status(
        self,
        test_duration: float,
        send_reminder_every: float,
        moving_time: float,
        survey_reply_time: float,
        broadcast_when_no_humans: bool,
    ) -> bool:
        """Look at everybody in turn: who has arrived, whose time is up, who has to be asked for a vote."""
        floor, now = self.floor, self.clock.now
        busy = False
        for guest, room, seat in floor.guests_who_are(JUST_ARRIVED):
            if room.has_humans() or broadcast_when_no_humans:
                await self.begin(guest, room, seat, test_duration)
                busy = True
        for guest, room, seat in floor.guests_who_are(AT_TABLE):
            left = test_duration - (now - seat.since)
            if seat.wants_exit or left <= 0:
                seat.become(TOLD_TO_VOTE, now)
                await self.send("goto_voting_booth", [guest], timeout=moving_time, callback="guest_in_booth")
                busy = True
            elif now - seat.reminded >= send_reminder_every:
                seat.reminded = now
                await self.tell([guest], "GEN_MSG", f"{left:.0f} seconds are left. {company(room, guest)}")
                busy = True
        for guest, room, seat in floor.guests_who_are(JUST_IN_BOOTH):
            await self.ask_for_vote(guest, room, seat, survey_reply_time)
            busy = True
        return busy or self.because("nobody has to be told anything")

    async def begin(self, guest: str, room: Room, seat: Seat, test_duration: float) -> None:
        """The guest sits down: it hears who is there, and they hear of it."""
        others = room.sit_down(guest, self.clock.now)
        await self.tell(
            [guest],
            "START_MSG" if others else "START_MSG_NOBODY",
            f"You are {seat.name}. {company(room, guest)} You have {test_duration:.0f} seconds.",
            you=seat.name,
            others=[room.seats[other].name for other in others],
        )
        await self.tell(others, "JOINED_MSG", f"{seat.name} has joined.", joined=seat.name)

    @action
    async def get_msg_and_broadcast(self, exit_trigger_message: str, interaction: Interaction | None = None) -> bool:
        """Pass on what a guest says, under its name; somebody who says the magic word leaves."""
        if interaction is None:
            return self.because("nobody has said anything")
        texts = self.stdin.get(uuid=interaction.uuid, requested_by="get_msg_and_broadcast")
        if texts is None:
            return self.because("the words have not arrived yet")
        found = self.floor.find(interaction.requester)
        text = " ".join(str(texts[0]).split())[:LONGEST_LINE]
        if found is None or found[1].status != AT_TABLE or not text:
            return True
        room, seat = found
        if text.lower() == exit_trigger_message:
            seat.wants_exit = True
            return True
        line = f"**{seat.name}:** {text}"
        others = room.others_at_table(interaction.requester)
        heard = [other for other in others if await self.pass_on("get_msgs", other, line)]
        room.said(interaction.requester, heard, text, self.clock.now)
        return True

    async def tell(self, guests: list[str], tag: str, text: str, **facts) -> None:
        """Say something to guests as the manager; ``facts`` are what is in it for a program."""
        for guest in guests:
            await self.pass_on("get_status_msg", guest, f"**{MANAGER}:** [{tag}] {text}", {"tag": tag, **facts})

    async def pass_on(self, action_name: str, guest: str, line: str, facts: dict | None = None) -> bool:
        """Bring a line to one guest. Never to several at once: a request tells each target who the others are."""
        return await self.send(action_name, [guest], facts, data_samples={"chat": line}, volatile=True)

    async def ask_for_vote(self, guest: str, room: Room, seat: Seat, survey_reply_time: float) -> None:
        await self.tell(room.others_at_table(guest), "LEFT_MSG", f"{seat.name} has left.", left=seat.name)
        await self.tell([guest], "VOTE_REQ_MSG", survey(seat, survey_reply_time))
        await self.send(
            "process", [guest], from_state="can_vote", timeout=survey_reply_time, callback="guest_has_voted"
        )
        seat.become(IN_BOOTH, self.clock.now)

    async def guest_has_voted(self, interaction: Interaction) -> None:
        """Keep the vote, if there is one, and let the guest go."""
        for guest in interaction.target:
            found = self.floor.find(guest)
            if found is None or found[1].status != IN_BOOTH:
                continue
            room, seat = found
            answer = self.get_stream("processor", guest, data_type="text")
            text = answer.get("guest_has_voted", vote_uuid(interaction)) if answer is not None else None
            if interaction.completion_reason == CompletionReason.OK and isinstance(text, str):
                where = {
                    "session": f"{self.get_name()}:{self.floor.room_of[guest]}",
                    "floor_manager": self.get_name(),
                    "hotel_manager": seat.sponsor,
                    "at": self.clock.get_time_ms(),
                }
                self.ballots.setdefault(seat.sponsor, []).append(sealed(room, seat, text, where))
            self.floor.remove(guest)
            self.sponsors.pop(guest, None)
            await self.send("goto_hall", [guest])
            await self.send("guest_back_to_hall", [seat.sponsor], {"guest": guest}, from_state="discovery_complete")

    # ------------------------------------------------------------------ what hotel managers hear

    @action
    async def pub_floor_updates(self, send_floor_updates_every: float) -> bool:
        """Publish how full the rooms are, and who came and went; put on record what was said."""
        now = self.clock.now
        if self.updated_at is not None and now - self.updated_at < send_floor_updates_every:
            return self.because("the last update is recent")
        self.updated_at, self.update = now, self.update + 1
        news = {"floor_id": self.get_name(), **self.floor.take_news()}
        self.get_stream("floor_updates").set(json.dumps(news), self.update)
        for number, room in enumerate(self.floor.rooms):
            if room.lines:
                chunk, room.lines = {"lines": room.lines}, []
                place = f"{self.get_name()}:{number}"
                self.stats.store_stat("conversation_chunk", chunk, place, self.clock.get_time_ms())
        return True

    @action
    async def send_votes(self) -> bool:
        """Hand each vote to the manager that has sent the voter, or to another one if that is gone."""
        managers = self.get_agents_by_role("hotel_manager")
        if not self.ballots or not managers:
            return self.because("there are no votes, or nobody to count them")
        ballots, self.ballots = self.ballots, {}
        for sponsor, votes in ballots.items():
            target = sponsor if sponsor in managers else managers[0]
            await self.send(target=[target], data_samples={"votes": json.dumps(votes)})
        return True

    @action
    async def apply_violations(self, guests: list, interaction: Interaction | None = None) -> bool:
        """Show out guests whom nobody has sent."""
        if interaction is None or self.get_role(interaction.requester) != "hotel_manager":
            return self.reject(interaction, "only hotel managers judge guests")
        for guest in guests:
            if self.get_role(guest) == "guest":
                await self.disconnect(guest)
        return True


def company(room: Room, guest: str) -> str:
    """Who else is at the table, in words."""
    names = [room.seats[other].name for other in room.others_at_table(guest)]
    return f"With you: {', '.join(names)}." if names else "You are alone for now."


def vote_uuid(request: Interaction) -> str:
    """The identifier under which a guest sends the vote that was requested."""
    return f"vote_{request.uuid}"
