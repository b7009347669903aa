"""Streams of an agent and of its peers: finding them, attaching interactions to them, sending and taking samples."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents.base import PROCESSOR_IN, PROCESSOR_OUT, AgentBase
from unaiverse_lab.behavior.requests import Refused
from unaiverse_lab.core.envelope import StreamSample
from unaiverse_lab.core.errors import StreamError, did_you_mean
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.core.records import Pushed
from unaiverse_lab.data.props import DataProps
from unaiverse_lab.data.streams import Stream

SENDER = "send_stream_samples"


class Streaming(AgentBase):
    """The stream side of an agent."""

    # ------------------------------------------------------------------ own streams

    def add_stream(self, stream: Stream) -> dict[str, Stream]:
        """Own a stream; peers hear of it with :meth:`update_streams_in_profile`.

        Returns:
            The streams of its group, by name.
        """
        self._own(stream)
        self.bind_default_streams()
        group = stream.props.name_or_group()
        return {s.name: s for s in self.owned_streams.values() if s.props.name_or_group() == group}

    def update_streams_in_profile(self) -> None:
        """Write slots and streams into the agent's profile."""
        self._need_link().profile.update_dynamic(self.stream_profile())

    def stream_profile(self) -> dict[str, list[dict[str, Any]]]:
        """What the profile says of slots and streams."""
        own = (s.props for s in self.owned_streams.values() if s.props.group not in (PROCESSOR_IN, PROCESSOR_OUT))
        return {
            "proc_inputs": [slot.props.to_dict() for slot in self.proc_inputs],
            "proc_outputs": [slot.props.to_dict() for slot in self.proc_outputs],
            "streams": [props.to_dict() for props in own],
        }

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
        """References as net hashes; what is not found is returned as it is."""
        if not isinstance(ref, str):
            return [self.resolve_streams(one) for one in ref] if isinstance(ref, list | tuple) else ref
        found = self.find_streams(ref)
        return found[0].props.net_hash(self.get_peer_id()) if found and ":" not in ref else ref

    # ------------------------------------------------------------------ peers' streams

    def _learn_streams(self, peer_id: str, profile: NodeProfile) -> None:
        known = self.known_streams.setdefault(peer_id, {})
        for data in profile.offered_streams():
            props = DataProps.from_dict(data)
            if props.name not in known:
                stream = known[props.name] = Stream(props)
                stream.clock = self.clock

    # ------------------------------------------------------------------ interactions on streams

    def attach(self, interaction: Interaction) -> None:
        """Put an interaction on its streams; a received one gets them assigned to the agent's slots.

        Raises:
            Refused: a stream is unknown, or none of them fits a slot.
        """
        if interaction.side == "sent":
            for stream in self._referenced(interaction, self.get_peer_id()):
                stream.add_interaction(interaction)
            return
        if not interaction.streams:
            return
        found = {
            role: [stream for ref in refs for stream in self._lookup(ref, interaction.requester)]
            for role, refs in interaction.streams.items()
        }
        interaction.slots = self._assign(found)
        for stream in self._referenced(interaction, interaction.requester):
            stream.add_interaction(interaction)
        for slot in self.proc_outputs:
            self.owned_streams[slot.props.name].add_interaction(interaction)

    def detach(self, interaction: Interaction) -> None:
        """Release the streams of an interaction that is over."""
        if not interaction.streams:
            return
        for streams in (
            self.owned_streams,
            *(self.known_streams.get(p, {}) for p in (interaction.requester,)),
        ):
            for stream in streams.values():
                stream.remove_interaction(interaction)

    def _lookup(self, ref: str, owner: str) -> list[Stream]:
        found = self.find_streams(ref, None if ":" in ref else owner)
        if not found:
            known = [stream.props.name for stream in self.streams_of(owner).values()]
            raise Refused(f"the stream {ref!r} is unknown here.{did_you_mean(ref.rpartition(':')[2], known)}")
        return found

    def _referenced(self, interaction: Interaction, owner: str) -> list[Stream]:
        return [stream for refs in interaction.streams.values() for ref in refs for stream in self._lookup(ref, owner)]

    def _assign(self, found: dict[str, list[Stream]]) -> dict[str, dict[str, Stream]]:
        slots: dict[str, dict[str, Stream]] = {"stdin": {}, "stdtar": {}, "stdext": {}}
        for proxy, roles, wanted in (
            ("stdin", ("stdin", "stdunk"), self.proc_inputs),
            ("stdtar", ("stdtar",), self.proc_outputs),
        ):
            offered = [stream for role in roles for stream in found.get(role, [])]
            if not offered:
                continue
            for slot in wanted:
                fit = next((stream for stream in offered if slot.props.is_compatible(stream.props)), None)
                if fit is None:
                    why = (
                        "; ".join(f"{s.name}: {slot.props.why_incompatible(s.props)}" for s in offered)
                        or "none is left"
                    )
                    raise Refused(f"no stream fits the slot {slot.props.name!r} ({why})")
                offered.remove(fit)
                slots[proxy][fit.name] = fit
            slots["stdext"].update({stream.name: stream for stream in offered})
        slots["stdext"].update({stream.name: stream for stream in found.get("stdext", [])})
        return {name: bound for name, bound in slots.items() if bound}

    # ------------------------------------------------------------------ samples

    def send_stream_samples(self) -> None:
        """Send what was written since the last turn to the partners of each interaction."""
        outgoing, self.outgoing = self.outgoing, {}
        link = self._need_link()
        for (name, uuid), stream in outgoing.items():
            interaction = stream.get_interaction(uuid)
            if interaction is None:
                continue
            recipients = interaction.target if interaction.side == "sent" else [interaction.requester]
            samples = [
                {"data": sample.value, "data_tag": sample.tag, "data_uuid": uuid}
                for sample in stream.read(SENDER, uuid)
                if sample.value is not None
            ]
            if samples:
                group = stream.props.net_hash(self.get_peer_id())
                for recipient in recipients:
                    link.post(recipient, StreamSample(group, {name: samples}))

    def receive_samples(self, sender: str, body: StreamSample) -> None:
        """Store the samples of a peer; those of unknown streams, or older than what is there, are dropped.

        Raises:
            StreamError: the group is not one of the sender's.
        """
        owner = body.group.partition("::")[0]
        if owner != sender:
            raise StreamError(f"{sender} sent samples of a stream of {owner}")
        known = self.known_streams.get(sender, {})
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
