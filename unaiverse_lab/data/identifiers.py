"""How streams are named in a world: a group has a net hash, ``peer::dm:group``, a stream a user hash, ``peer:name``."""

from __future__ import annotations

from unaiverse_lab.core.errors import StreamError


class Identifiers:
    """Making, telling apart and reading net hashes and user hashes."""

    @staticmethod
    def build_net_hash(peer_id: str, pubsub: bool, name_or_group: str) -> str:
        """``peer::dm:group``, or ``peer::ps:group`` for subscribers."""
        return f"{peer_id}::{'ps' if pubsub else 'dm'}:{name_or_group}"

    @staticmethod
    def build_user_hash(peer_id: str, name: str) -> str:
        """``peer:name``."""
        return f"{peer_id}:{name}"

    @staticmethod
    def is_net_hash(text: str) -> bool:
        """Does it look like ``peer::dm:group``?"""
        return "::" in text

    @staticmethod
    def is_user_hash(text: str) -> bool:
        """Does it look like ``peer:name``?"""
        return ":" in text and "::" not in text

    @staticmethod
    def _split_net_hash(net_hash: str) -> tuple[str, str, str]:
        peer_id, _, rest = net_hash.partition("::")
        mode, _, group = rest.partition(":")
        if mode not in ("dm", "ps") or not peer_id or not group:
            raise StreamError(f"{net_hash!r} is not a net hash: '<peer>::dm:<group>' or '<peer>::ps:<group>'")
        return peer_id, mode, group

    @staticmethod
    def peer_id_from_net_hash(net_hash: str) -> str:
        """Owner of the group."""
        return Identifiers._split_net_hash(net_hash)[0]

    @staticmethod
    def is_pubsub_from_net_hash(net_hash: str) -> bool:
        """Is the group sent to subscribers?"""
        return Identifiers._split_net_hash(net_hash)[1] == "ps"

    @staticmethod
    def name_or_group_from_net_hash(net_hash: str) -> str:
        """The group, or the name of a stream that is alone."""
        return Identifiers._split_net_hash(net_hash)[2]

    @staticmethod
    def user_hash_from_net_hash(net_hash: str, name: str) -> str:
        """Identifier of a stream of the group."""
        return Identifiers.build_user_hash(Identifiers.peer_id_from_net_hash(net_hash), name)

    @staticmethod
    def peer_id_from_user_hash(user_hash: str) -> str:
        """Owner of the stream."""
        return Identifiers._split_user_hash(user_hash)[0]

    @staticmethod
    def name_from_user_hash(user_hash: str) -> str:
        """Name of the stream."""
        return Identifiers._split_user_hash(user_hash)[1]

    @staticmethod
    def _split_user_hash(user_hash: str) -> tuple[str, str]:
        peer_id, _, name = user_hash.partition(":")
        if not peer_id or not name or name.startswith(":"):
            raise StreamError(f"{user_hash!r} is not a user hash: '<peer>:<name>'")
        return peer_id, name

    @staticmethod
    def normalize_net_hash(channel: str) -> str:
        """The net hash a channel carries: ``A::dm:B-stream_sample~g`` is ``A::dm:g``; net hashes stay as they are."""
        peer_id, mode, rest = Identifiers._split_net_hash(channel)
        _, marked, group = rest.partition("~")
        return Identifiers.build_net_hash(peer_id, False, group) if mode == "dm" and marked else channel
