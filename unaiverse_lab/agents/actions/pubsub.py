"""Built-in actions: hearing what somebody publishes, without asking each time."""

from __future__ import annotations

import json
from typing import Any

from unaiverse_lab.agents.messaging import Messaging
from unaiverse_lab.agents.owner import PROCESSOR_IN, SEQUENCE
from unaiverse_lab.behavior.actions import action
from unaiverse_lab.core.envelope import Subscription
from unaiverse_lab.core.errors import StreamError, did_you_mean
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.ordered import OrderedSet
from unaiverse_lab.data.props import DataProps
from unaiverse_lab.data.sequences import BufferedStream
from unaiverse_lab.data.streams import Stream


class PubSubActions(Messaging):
    """``send_subscribe``, ``subscribe``."""

    @action
    async def send_subscribe(
        self, agent: Any = None, stream_hashes: list[str] | None = None, unsubscribe: bool = False
    ) -> bool:
        """Ask peers to subscribe to some streams, one's own or those of others.

        Args:
            agent: the peers; default: the engaged agents, else the found ones.
            stream_hashes: the streams or groups, ``peer:name_or_group`` (own ones also without peer); default: all own
                streams for subscribers.
            unsubscribe: ask them to stop instead.

        True when at least one peer was reached. False when there is nobody to ask, or a stream is unknown or not for
        subscribers (``pubsub=True``). Sends one request ``subscribe`` to each.
        """
        found: list[tuple[str, Stream]] = []
        me = self.get_peer_id()
        for ref in stream_hashes if stream_hashes is not None else self._published_names():
            owner = ref.partition(":")[0] if ":" in ref else me
            streams = self.find_streams(ref)
            if not streams:
                near = did_you_mean(ref.rpartition(":")[2], self.streams_of(owner))
                return self.because(f"there is no stream {ref!r}.{near}")
            found += [(owner, stream) for stream in streams]
        direct = [stream.name for _, stream in found if not stream.props.pubsub]
        if direct:
            return self.because(f"{', '.join(direct)}: not for subscribers (pubsub=True)")
        if not found:
            return self.because("no stream of mine is for subscribers (pubsub=True)")
        request = {
            "stream_owners": [owner for owner, _ in found],
            "stream_props": [json.dumps(_described(stream)) for _, stream in found],
            "unsubscribe": unsubscribe,
        }
        return self._send("subscribe", agent, request) is not None

    @action
    async def subscribe(
        self,
        stream_owners: list[str] | None = None,
        stream_props: list[str] | None = None,
        unsubscribe: bool = False,
        interaction: Interaction | None = None,
    ) -> bool:
        """Get everything that is written to some live streams from now on, whatever it is written for.

        Args:
            stream_owners: for each stream, whose it is.
            stream_props: for each stream, its properties as JSON.
            unsubscribe: stop getting it instead.
            interaction: the request.

        A sequence has nothing to subscribe to: it becomes known, and is sent when it is asked for.
        True when at least one stream was subscribed to (or given up). False when it was not said which, when one is not
        for subscribers (``pubsub=True``), when no owner could be reached, or when none was subscribed to. Sends one
        subscription to each owner.
        """
        if not stream_owners or not stream_props or len(stream_owners) != len(stream_props):
            return self._no(interaction, "subscribe needs stream_owners and stream_props, one of each for every stream")
        wanted: dict[str, list[dict[str, Any]]] = {}
        try:
            for owner, text in zip(stream_owners, stream_props, strict=True):
                described = json.loads(text)
                props = DataProps.from_dict(described)
                if not props.pubsub:
                    return self._no(interaction, f"the stream {props.name!r} of {owner} is not for subscribers")
                wanted.setdefault(owner, []).append(described)
        except (StreamError, TypeError, ValueError) as error:
            return self._no(interaction, f"stream_props cannot be read: {error}")
        change = self.unfollow if unsubscribe else self.follow
        changed = [owner for owner, streams in wanted.items() if change(owner, streams)]
        if changed:
            return True
        who = ", ".join(wanted)
        return self._no(interaction, f"I am not subscribed to {who}" if unsubscribe else f"{who} cannot be reached")

    def follow(self, owner: str, streams: list[dict[str, Any]]) -> bool:
        """Subscribe to streams of a member, given as its profile lists them; False if it cannot be reached."""
        names = [described["name"] for described in streams]
        if owner == self.get_peer_id() or not self._need_link().post(owner, Subscription(names)):
            return False
        self.learn_streams(owner, streams)
        self.subscriptions.setdefault(owner, OrderedSet()).update(names)
        return True

    def unfollow(self, owner: str, streams: list[dict[str, Any]]) -> bool:
        """Give up the subscription to some streams of a member; False if there was none."""
        followed = self.subscriptions.get(owner, OrderedSet())
        names = [described["name"] for described in streams if described["name"] in followed]
        for name in names:
            followed.discard(name)
        if not followed:
            self.subscriptions.pop(owner, None)
        return bool(names) and self._need_link().post(owner, Subscription(names, wanted=False))

    def _no(self, interaction: Interaction | None, reason: str) -> bool:
        if interaction is None or interaction.is_system:
            return self.because(reason)
        return self.reject(interaction, reason)

    def _published_names(self) -> list[str]:
        return [s.name for s in self.owned_streams.values() if s.props.pubsub and s.props.group != PROCESSOR_IN]


def _described(stream: Stream) -> dict[str, Any]:
    return {**stream.props.to_dict(), SEQUENCE: stream.on_request or isinstance(stream, BufferedStream)}
