"""An agent among others: meeting peers, asking them, being asked, and hearing how it ended."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from unaiverse_lab.agents.streaming import Streaming
from unaiverse_lab.behavior.requests import Refused
from unaiverse_lab.core.envelope import (
    AgentApproval,
    AgentRefusal,
    Contact,
    Farewell,
    InteractionMessage,
    InteractionStatus,
    ProfileUpdate,
    StreamSample,
    SupplyEnded,
)
from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.interaction import SYSTEM_UUID, CompletionReason, Interaction
from unaiverse_lab.core.limits import NotSendable
from unaiverse_lab.core.ordered import OrderedSet
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.core.records import Completed, Met, Requested, Sent
from unaiverse_lab.core.roles import BASE_BITS, WORLD_MASTER, base_part, custom_part


class Messaging(Streaming):
    """The social side of an agent."""

    def get_action_step(self) -> int:
        """Index of the step being run."""
        return self.behav.get_action_step_idx()

    def is_last_action_step(self) -> bool:
        """Whether this is the last step of the interaction being served."""
        interaction = self.behav.get_current_interaction()
        return self.get_action_step() >= (interaction.num_steps if interaction is not None else 1) - 1

    # ------------------------------------------------------------------ who is there

    def knows(self, peer_id: str) -> bool:
        """Whether the handshake with a peer is finished."""
        return peer_id in self.all_agents

    def get_role(self, peer_id: str) -> str | None:
        """Name of the custom role of a member (``"public_agent"`` if it has none); None for strangers."""
        link = self._need_link()
        bits = link.roster.get(peer_id)
        return None if bits is None else link.role_table.custom_name(bits)

    def get_current_role(self, return_int: bool = False, ignore_base_role: bool = True) -> Any:
        """The agent's own role: its custom name, its augmented name, or its bits; None outside a world."""
        link = self._need_link()
        bits = link.roster.get(link.peer_id)
        if bits is None:
            return None
        if return_int:
            return bits
        return link.role_table.custom_name(bits) if ignore_base_role else link.role_table.to_name.get(bits)

    def get_agents_by_role(self, role: str | list[str], handshake_completed: bool = True) -> list[str]:
        """Peer ids of the members with a role (or one of several), in order of admission.

        Args:
            role: a custom role name; with ``~`` also the base part must match.
            handshake_completed: only peers met already; False: the whole roster, the caller included.

        Raises:
            WorldError: no such role in this world.
        """
        link = self._need_link()
        wanted = [(name, link.role_table.bits(name)) for name in ([role] if isinstance(role, str) else role)]
        return [
            peer
            for peer, bits in link.roster.items()
            if any(bits == one if "~" in name else _matches(bits, one) for name, one in wanted)
            and (not handshake_completed or peer in self.all_agents)
        ]

    def resolve_agents(self, ref: Any) -> Any:
        """Node names as peer ids; lists element by element; what is not found is returned as it is."""
        if isinstance(ref, str):
            if ref == "<valid_cmp>" or self.link is None or ref in self.link.roster:
                return ref
            return self.link.peer_named(ref) or ref
        if isinstance(ref, list | tuple | set | OrderedSet):
            return [self.resolve_agents(one) for one in ref]
        return ref

    def chosen_agents(self, agent: Any = None) -> list[str]:
        """The peers an action is about: the given ones, else the engaged ones, else the found ones."""
        if agent == "<valid_cmp>":
            return list(self._valid_cmp_agents)
        if agent is not None:
            resolved = self.resolve_agents(agent)
            return [resolved] if isinstance(resolved, str) else list(resolved)
        return list(self._engaged_agents or self._found_agents)

    # ------------------------------------------------------------------ meeting and parting

    def contact(self, peer_id: str) -> bool:
        """Get in touch with a member; False if it cannot be reached."""
        link = self._need_link()
        if not link.post(peer_id, Contact(link.profile.to_dict())):
            return False
        self.contacting[peer_id] = self.clock.tick
        self._met(peer_id, "asked")
        return True

    def evaluate_profile(self, role: int, profile: NodeProfile) -> bool:
        """Whether to accept a peer; override to be choosy."""
        return True

    async def add_agent(self, peer_id: str, profile: NodeProfile) -> bool:
        """Enrol a peer whose handshake is finished; also called when its profile changed."""
        bits = self._need_link().roster.get(peer_id, 0)
        self.all_agents[peer_id] = profile
        (self.world_masters if base_part(bits) == WORLD_MASTER else self.world_agents)[peer_id] = profile
        (self.human_agents if profile.is_human else self.artificial_agents)[peer_id] = profile
        self.learn_streams(peer_id, profile.offered_streams())
        return True

    async def remove_agent(self, peer_id: str) -> None:
        """Forget a peer: registries, streams, and whatever was asked between the two."""
        for book in (
            self.all_agents, self.world_agents, self.world_masters, self.human_agents, self.artificial_agents,
            self.known_streams, self.contacting, self._eval_results, self.answers, self.subscriptions,
        ):  # fmt: skip
            book.pop(peer_id, None)
        for group in (self._found_agents, self._engaged_agents):
            if peer_id in group:
                group.discard(peer_id)
                self._lost_agents.add(peer_id)
        self._valid_cmp_agents.discard(peer_id)
        self.forget_subscriber(peer_id)
        self.im.forget_peer(peer_id)

    def _met(self, peer_id: str, stage: str, reason: str | None = None) -> None:
        link = self._need_link()
        link.record(Met(self.clock.tick, self.clock.now, link.name, peer_id, stage, reason))

    async def _on_contact(self, sender: str, body: Contact) -> None:
        link = self._need_link()
        bits = link.roster.get(sender)
        if link.world_id is None or bits is None:
            no = "I am in no world" if link.world_id is None else "you are not a member of my world"
            link.post(sender, AgentRefusal(no))
            return
        try:
            profile = self._card_of(sender, body.profile)
        except LabError as error:
            link.post(sender, AgentRefusal(str(error)))
            raise
        if not self.evaluate_profile(bits, profile):
            link.post(sender, AgentRefusal("your profile was not accepted"))
            self._met(sender, "refused")
            return
        await self.add_agent(sender, profile)
        self._met(sender, "met")
        link.post(sender, AgentApproval(link.profile.to_dict()))

    async def _on_approval(self, sender: str, body: AgentApproval) -> None:
        if self.contacting.pop(sender, None) is None:
            raise LabError("approval of a contact nobody asked for")
        await self.add_agent(sender, self._card_of(sender, body.profile))
        self._met(sender, "met")

    def _card_of(self, sender: str, told: dict[str, Any]) -> NodeProfile:
        """The profile of a peer that is who it says it is; which role it has, the world says."""
        link = self._need_link()
        profile = NodeProfile.from_dict(told)
        if profile.peer_id != sender or link.identity_of(profile.name) != (sender, profile.node_id):
            raise LabError(f"{sender} showed the profile of {profile.name!r}, and is somebody else")
        return profile.with_dynamic(connections={"role": link.role_table.to_name.get(link.roster.get(sender, 0))})

    async def _on_refusal(self, sender: str, body: AgentRefusal) -> None:
        self.contacting.pop(sender, None)
        self._met(sender, "refused", body.reason)

    async def _on_farewell(self, sender: str, body: Farewell) -> None:
        await self.lose(sender, body.reason)

    async def lose(self, peer_id: str, reason: str = "") -> None:
        """A peer is gone: forget it, if it is known."""
        if self.knows(peer_id) or peer_id in self.contacting or peer_id in self.subscriptions:
            await self.remove_agent(peer_id)
            self._met(peer_id, "parted", reason or None)

    # ------------------------------------------------------------------ asking

    def _send(
        self,
        action_name: str | None = None,
        target: Any = None,
        action_kwargs: dict[str, Any] | None = None,
        streams: list[str] | dict[str, list[str]] | None = None,
        data_samples: dict[str, Any] | None = None,
        num_steps: int = -1,
        timeout: float = -1.0,
        from_state: str | None = None,
        to_state: str | None = None,
        callback: str | None = None,
        forced_uuid: str | None = None,
        id: str | None = None,
        copy_sys: bool = False,
        volatile: bool = False,
        num_samples_to_stream: int = -1,
    ) -> Interaction | None:
        """Ask peers to do something, or push data to them; see :meth:`send`.

        Returns:
            The interaction, or None if nothing was sent; the reason is left with :meth:`because`.
        """
        link = self._need_link()
        targets = self.chosen_agents(target)
        unknown = [peer for peer in targets if not self.knows(peer)]
        if unknown or not targets:
            who = ", ".join(map(repr, unknown)) or "nobody"
            self.because(f"cannot send to {who}: not among the agents I know.{did_you_mean(who, self.all_agents)}")
            return None
        if callback is not None and (volatile or not callable(getattr(self, callback, None))):
            self.because(f"the callback {callback!r} is not a method of this agent, or the request is volatile")
            return None
        self._interactions_made += 1
        interaction = Interaction(
            action_name,
            copy.deepcopy(action_kwargs) if action_kwargs else {},
            requester=link.peer_id,
            target=targets,
            num_steps=num_steps,
            timeout=timeout,
            from_state=from_state,
            to_state=to_state,
            callback=callback,
            volatile=volatile,
            streams=self._own_references(streams),
            data_samples=data_samples,
            num_samples_to_stream=num_samples_to_stream,
            id=id if id is not None else f"{self._interactions_made:08x}",
            uuid=forced_uuid,
        )
        for name in interaction.data_samples:
            found = self.find_streams(name)
            if not found:
                self.because(f"I have no stream {name!r}.{did_you_mean(name, self.owned_streams)}")
                return None
            found[0].props.check(interaction.data_samples[name])
            interaction.streams.setdefault("stdunk", []).append(found[0].props.user_hash(link.peer_id))
        try:
            self.im.register_sent(interaction)
        except Refused as refusal:
            self.because(str(refusal))
            return None
        link.wake()
        for name, value in interaction.data_samples.items():
            self.find_streams(name)[0].set(value, uuid=interaction.uuid)
        if copy_sys:
            self._copy_system_samples(interaction)
        if action_name is not None:
            try:
                interaction.target = [
                    peer for peer in targets if link.post(peer, InteractionMessage(interaction.to_dict()))
                ]
            except (TypeError, NotSendable) as error:  # an argument that cannot cross the wire
                self.im.complete(interaction, CompletionReason.ERROR, detail=str(error))
                raise
        link.record(
            Sent(
                self.clock.tick, self.clock.now, link.name, interaction.uuid, list(interaction.target), action_name,
                copy.deepcopy(interaction.action_kwargs) or None,
            )
        )  # fmt: skip
        if not interaction.target:
            self.im.complete(interaction, CompletionReason.DISCONNECTED, detail="nobody could be reached")
            self.because("nobody could be reached")
            return None
        return interaction

    def _own_references(self, streams: list[str] | dict[str, list[str]] | None) -> dict[str, list[str]]:
        refs = {"stdunk": list(streams)} if isinstance(streams, list) else dict(streams or {})
        return {role: [self.resolve_streams(ref) for ref in names] for role, names in refs.items()}

    def _copy_system_samples(self, interaction: Interaction) -> None:
        for stream in self._own_streams_of(interaction):
            last = stream.last(SYSTEM_UUID)
            if last is not None:
                stream.set(last.value, last.tag, interaction.uuid)

    # ------------------------------------------------------------------ being asked, hearing back

    async def _on_interaction(self, sender: str, body: InteractionMessage) -> None:
        link = self._need_link()
        request = Interaction.from_dict(body.interaction)
        if request.requester != sender:
            raise LabError(f"{sender} asked in the name of {request.requester}")
        accepted, reason = True, None
        try:
            if request.action_name == "send":
                raise Refused("'send' cannot be asked for")
            self.im.receive(request, self.behav)
        except Refused as refusal:
            accepted, reason = False, str(refusal)
            status = InteractionStatus(request.uuid, str(CompletionReason.REJECTED), detail=reason)
            link.post(sender, status)
        where = request.from_state or self.behav.get_state_name(consider_limbo=True)
        link.record(
            Requested(
                self.clock.tick, self.clock.now, link.name, request.uuid, sender, request.action_name, where,
                accepted, reason,
            )
        )  # fmt: skip

    async def _on_status(self, sender: str, body: InteractionStatus) -> None:
        interaction = self.im.sent.get(body.uuid)
        if interaction is None or sender not in interaction.target:
            return
        try:
            reason = CompletionReason(body.completion_reason)
        except ValueError:
            raise LabError(f"{body.completion_reason!r} is no way for a request to end") from None
        self.im.complete(interaction, reason, body.destination_state, sender, body.detail)

    async def _on_supply_ended(self, sender: str, body: SupplyEnded) -> None:
        for interaction in (self.im.received.get(body.uuid), self.behav.get_current_interaction()):
            if interaction is not None and interaction.uuid == body.uuid and sender in self._wanted(interaction):
                self.surroundings.break_off(interaction, body.reason)
                return

    async def _on_profile_update(self, sender: str, body: ProfileUpdate) -> None:
        if self.knows(sender):
            await self.add_agent(sender, self._card_of(sender, body.profile))

    async def _on_samples(self, sender: str, body: StreamSample) -> None:
        self.receive_samples(sender, body)

    def interaction_completed(self, interaction: Interaction) -> None:
        """An interaction is over: it leaves the machine's queues, and the trace says how it ended."""
        link = self._need_link()
        if interaction.side == "received":
            self.behav.drop_request(interaction)
        peer = interaction.requester if interaction.side == "received" else ", ".join(interaction.target)
        link.record(
            Completed(
                self.clock.tick, self.clock.now, link.name, interaction.uuid, interaction.side,
                interaction.completion_reason or "", interaction.action_name, peer, interaction.destination_state,
                interaction.detail,
            )
        )  # fmt: skip
        link.wake()

    async def end_turn(self) -> None:
        """After the machine has acted: send samples, end what is overdue, answer requests, call callbacks."""
        self.send_samples()
        for interaction in list(self.im.sent.values()):
            if interaction.action_name is None or interaction.volatile:
                self.im.complete(interaction, CompletionReason.OK)
        self.im.complete_expired()
        link = self._need_link()
        self.recently_done = self.im.drain()
        for interaction in self.recently_done:
            if interaction.side == "received":
                if not interaction.volatile and interaction.action_name is not None:
                    link.post(
                        interaction.requester,
                        InteractionStatus(
                            interaction.uuid, interaction.completion_reason or "", interaction.destination_state,
                            interaction.detail, interaction.data_tags,
                        ),
                    )  # fmt: skip
            elif interaction.callback is not None:
                await self._call_back(interaction)
        leaving, self.leaving = self.leaving, []
        for peer in leaving:
            await self.part_from(peer)

    def reject(self, interaction: Interaction, reason: str) -> bool:
        """Refuse a request that is being served: its requester is told why. Always False."""
        self.im.complete(interaction, CompletionReason.REJECTED, detail=reason)
        return self.because(reason)

    async def part_from(self, peer_id: str) -> None:
        """Part from a peer, with a farewell."""
        if self.knows(peer_id) or peer_id in self.contacting:
            self._need_link().post(peer_id, Farewell())
            await self.remove_agent(peer_id)
            self._met(peer_id, "parted")

    def part_later(self, peer_id: str) -> None:
        """Part from a peer at the end of the turn, when its requests are answered."""
        self.leaving.append(peer_id)
        self._need_link().wake()

    async def _call_back(self, interaction: Interaction) -> None:
        name = interaction.callback or ""
        try:
            result = getattr(self, name)(interaction=interaction)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            self.record_fault(error, f"callback {name}")

    def record_fault(self, error: BaseException, action: str | None = None) -> None:
        """Write a contained error to the trace, with the learner's own line."""
        state = self.behav.get_state_name(consider_limbo=True)
        link = self._need_link()
        link.record(fault(error, self.clock, link.name, state, action))

    _handlers = {
        Contact: _on_contact,
        AgentApproval: _on_approval,
        AgentRefusal: _on_refusal,
        Farewell: _on_farewell,
        InteractionMessage: _on_interaction,
        InteractionStatus: _on_status,
        StreamSample: _on_samples,
        **Streaming._handlers,
        SupplyEnded: _on_supply_ended,
        ProfileUpdate: _on_profile_update,
    }


def _matches(bits: int, wanted: int) -> bool:
    if wanted <= BASE_BITS:
        return base_part(bits) == wanted
    return custom_part(bits) == custom_part(wanted)
