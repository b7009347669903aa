"""Streams of an agent and of its peers: finding them, attaching interactions to them, sending and taking samples."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents.base import AgentBase
from unaiverse_lab.agents.owner import PROCESSOR_OUT, SEQUENCE
from unaiverse_lab.behavior.requests import Refused
from unaiverse_lab.core.envelope import ProfileUpdate, StreamRequest, StreamSample
from unaiverse_lab.core.errors import StreamError, did_you_mean
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.records import Pushed
from unaiverse_lab.data.props import DataProps
from unaiverse_lab.data.sequences import BufferedStream
from unaiverse_lab.data.streams import Stream

PLAYLIST = "<playlist>"
MAX_ANSWERS = 16


class Streaming(AgentBase):
    """The stream side of an agent."""

    # ------------------------------------------------------------------ own streams

    def add_stream(self, stream: Stream) -> dict[str, Stream]:
        """Own a stream; peers hear of it with :meth:`update_streams_in_profile`.

        Returns:
            The streams of its group, by name.
        """
        self.own(stream)
        self.bind_default_streams()
        group = stream.props.name_or_group()
        return {s.name: s for s in self.owned_streams.values() if s.props.name_or_group() == group}

    def update_streams_in_profile(self) -> None:
        """Write slots and streams into the agent's profile."""
        self._need_link().profile.update_dynamic(self.stream_profile())

    def stream_profile(self) -> dict[str, list[dict[str, Any]]]:
        """What the profile says of slots and streams."""
        return {
            "proc_inputs": [slot.props.to_dict() for slot in self.proc_inputs],
            "proc_outputs": [slot.props.to_dict() for slot in self.proc_outputs],
            "streams": self.published(),
        }

    def send_profile_to_all(self) -> None:
        """Tell the world and all known agents that the profile changed."""
        self.update_streams_in_profile()
        link = self._need_link()
        for peer in (*([link.world_id] if link.world_id else []), *self.all_agents):
            link.post(peer, ProfileUpdate(link.profile.to_dict()))

    # ------------------------------------------------------------------ finding streams

    def streams_of(self, peer_id: str | None = None) -> dict[str, Stream]:
        """Streams of a peer (None: the agent's own), by name."""
        if peer_id is None or peer_id == self.get_peer_id():
            return self.owned_streams
        return self.known_streams.get(peer_id, {})

    def find_streams(self, ref: str, peer_id: str | None = None) -> list[Stream]:
        """The streams a reference means: a name, a group, ``peer:name``, ``peer:group`` or a net hash.

        Returns:
            The one stream, the members of the group, or nothing.
        """
        if "::" in ref:
            peer_id, _, rest = ref.partition("::")
            ref = rest.partition(":")[2]
        elif ":" in ref:
            peer_id, _, ref = ref.partition(":")
        streams = self.streams_of(peer_id)
        if ref in streams:
            return [streams[ref]]
        return [stream for stream in streams.values() if stream.props.group == ref]

    def get_stream(self, name_or_group: str, peer_id: str | None = None, data_type: str | None = None) -> Stream | None:
        """One stream, by name or group; in a group, the first of ``data_type`` or the only one; else None."""
        found = self.find_streams(name_or_group, peer_id)
        if data_type is not None:
            found = [stream for stream in found if stream.props.data_type in (data_type, "all")]
            return found[0] if found else None
        return found[0] if len(found) == 1 else None

    def resolve_streams(self, ref: Any) -> Any:
        """References of own streams as net hashes; ``<playlist>`` as its current entry; others as they are."""
        if not isinstance(ref, str):
            return [self.resolve_streams(one) for one in ref] if isinstance(ref, list | tuple) else ref
        if ref == PLAYLIST:
            if not self._preferred_streams:
                raise StreamError("the playlist is empty: call set_pref_streams first")
            return self._preferred_streams[self._cur_preferred_stream]
        found = self.find_streams(ref)
        return found[0].props.net_hash(self.get_peer_id()) if found and ":" not in ref else ref

    # ------------------------------------------------------------------ peers' streams

    def learn_streams(self, owner: str, offered: list[dict[str, Any]]) -> None:
        """Know the streams that a peer, or the world, offers."""
        known = self.known_streams.setdefault(owner, {})
        for data in offered:
            props = DataProps.from_dict(data)
            if props.name not in known:
                stream = known[props.name] = Stream(props)
                stream.clock = self.clock
                stream.on_request = bool(data.get(SEQUENCE))

    # ------------------------------------------------------------------ interactions on streams

    def attach(self, interaction: Interaction) -> None:
        """Put an interaction on its streams; unless it is a request to others, they are assigned to the agent's slots.

        Raises:
            Refused: a stream is unknown, or none of them fits a slot.
        """
        if not interaction.streams:
            return
        found = {
            role: [(ref, stream) for ref in refs for stream in self._lookup(ref, self._asker(interaction))]
            for role, refs in interaction.streams.items()
        }
        for offered in found.values():
            for _, stream in offered:
                stream.add_interaction(interaction)
        if interaction.side == "sent":
            return
        interaction.slots = self._assign(found, whole_groups=interaction.is_system)
        for slot in self.proc_outputs:
            self.owned_streams[slot.props.name].add_interaction(interaction)
        for bound in interaction.slots.values():
            for stream in bound.values():
                if isinstance(stream, BufferedStream):
                    stream.remove_data(interaction.uuid)
        for owner, names in self._wanted(interaction).items():
            for name in names:
                self.known_streams[owner][name].remove_data(interaction.uuid)
            self._need_link().post(owner, StreamRequest(names, interaction.uuid, max(interaction.num_steps, 1)))

    def detach(self, interaction: Interaction) -> None:
        """Release the streams of an interaction that is over."""
        if not interaction.streams:
            return
        for owner, names in self._wanted(interaction).items():
            self._need_link().post(owner, StreamRequest(names, interaction.uuid, 0))
        for streams in (self.owned_streams, *self.known_streams.values()):
            for stream in streams.values():
                stream.remove_interaction(interaction)

    def _asker(self, interaction: Interaction) -> str:
        return self.get_peer_id() if interaction.is_system else interaction.requester

    def _wanted(self, interaction: Interaction) -> dict[str, list[str]]:
        """The sequences of others that the interaction reads, by owner."""
        wanted: dict[str, list[str]] = {}
        bound = [stream for streams in interaction.slots.values() for stream in streams.values()]
        for owner, streams in self.known_streams.items():
            names = [name for name, stream in streams.items() if stream.on_request and stream in bound]
            if names:
                wanted[owner] = names
        return wanted

    def _lookup(self, ref: str, owner: str) -> list[Stream]:
        found = self.find_streams(ref, None if ":" in ref else owner)
        if not found:
            known = [stream.props.name for stream in self.streams_of(owner).values()]
            raise Refused(f"the stream {ref!r} is unknown here.{did_you_mean(ref.rpartition(':')[2], known)}")
        return found

    def _own_streams_of(self, interaction: Interaction) -> list[Stream]:
        refs = [ref for refs in interaction.streams.values() for ref in refs]
        return [stream for ref in refs for stream in self._lookup(ref, self.get_peer_id())]

    def _assign(self, found: dict[str, list[tuple[str, Stream]]], whole_groups: bool) -> dict[str, dict[str, Stream]]:
        """Give streams to slots in order; what is left over is kept if it was named itself, not only its group."""
        slots: dict[str, dict[str, Stream]] = {"stdin": {}, "stdtar": {}, "stdext": {}}
        for proxy, roles, wanted in (
            ("stdin", ("stdin", "stdunk"), self.proc_inputs),
            ("stdtar", ("stdtar",), self.proc_outputs),
        ):
            offered = [one for role in roles for one in found.get(role, [])]
            if not offered:
                continue
            for slot in wanted:
                fit = next((one for one in offered if self._why_unfit(slot.props, one[1].props, proxy) is None), None)
                if fit is None:
                    if whole_groups:
                        continue
                    why = "; ".join(f"{s.name}: {self._why_unfit(slot.props, s.props, proxy)}" for _, s in offered)
                    raise Refused(f"no stream fits the slot {slot.props.name!r} ({why or 'none is left'})")
                offered.remove(fit)
                slots[proxy][fit[1].name] = fit[1]
            slots["stdext"].update(
                {
                    stream.name: stream
                    for ref, stream in offered
                    if whole_groups or not ref.endswith(f":{stream.props.group}")
                }
            )
        slots["stdext"].update({stream.name: stream for _, stream in found.get("stdext", [])})
        return {name: bound for name, bound in slots.items() if bound}

    def _why_unfit(self, slot: DataProps, offered: DataProps, proxy: str) -> str | None:
        """Why a stream does not fit a slot; class ids are fit targets where the loss is a cross entropy."""
        return slot.why_incompatible(offered, proxy == "stdtar" and self.processor.takes_class_ids(slot.name))

    # ------------------------------------------------------------------ samples

    def receive_samples(self, sender: str, body: StreamSample) -> None:
        """Store the samples of a peer; those of unknown streams, or older than what is there, are dropped.

        Raises:
            StreamError: the group is not one of the sender's.
        """
        owner = body.group.partition("::")[0]
        if owner != sender:
            raise StreamError(f"{sender} sent samples of a stream of {owner}")
        known = self.known_streams.get(sender, {})
        is_answer = body.group.rpartition(":")[2] == PROCESSOR_OUT and self.buffer_generated_by_others != "none"
        link = self._need_link()
        for name, samples in body.samples.items():
            stream = known.get(name)
            if stream is None:
                continue
            for sample in samples:
                value, tag, uuid = sample["data"], int(sample["data_tag"]), sample.get("data_uuid")
                last = stream.get_tag(uuid)
                if last is not None and last > tag:
                    continue
                stream.set(value, tag, uuid)
                if is_answer:
                    self._buffer_answer(sender, uuid, name, tag, value)
                link.record(
                    Pushed(
                        self.clock.tick,
                        self.clock.now,
                        link.name,
                        sender,
                        name,
                        tag,
                        uuid,
                        stream.props.to_text(value),
                    )
                )

    def _buffer_answer(self, sender: str, uuid: str | None, name: str, tag: int, value: Any) -> None:
        kept = self.answers.setdefault(sender, {})
        kept.setdefault(uuid, {}).setdefault(name, []).append((tag, value))
        cap = 1 if self.buffer_generated_by_others == "one" else MAX_ANSWERS
        while len(kept) > cap:
            del kept[next(iter(kept))]
