"""Built-in actions: going through a list of preferred streams, several times if need be."""

from __future__ import annotations

from unaiverse_lab.agents.messaging import Messaging
from unaiverse_lab.behavior.actions import action
from unaiverse_lab.core.errors import LabError, did_you_mean

CHECKS = ("first", "last", "not_first", "not_last", "last_round", "not_last_round", "last_song", "not_last_song")


class PlaylistActions(Messaging):
    """``set_pref_streams``, ``next_pref_stream``, ``first_pref_stream``, ``check_pref_stream``."""

    @action
    async def set_pref_streams(self, net_hashes: list[str], repeat: int = 1) -> bool:
        """Set the playlist and start at its first entry.

        Args:
            net_hashes: references of groups or streams, ``peer:name_or_group``.
            repeat: how many times the whole list is repeated.

        True always: what cannot be is an error. Sends nothing.

        Raises:
            LabError: an empty list, ``repeat`` < 1, or an unknown reference.
        """
        if not net_hashes or repeat < 1:
            raise LabError("a playlist needs at least one stream and repeat >= 1")
        for ref in net_hashes:
            if not self.find_streams(ref):
                known = sorted(
                    {stream.props.name_or_group() for stream in self.streams_of(ref.partition(":")[0]).values()}
                )
                raise LabError(f"there is no stream {ref!r}.{did_you_mean(ref.rpartition(':')[2], known)}")
        self._preferred_streams = list(net_hashes) * repeat
        self._cur_preferred_stream = 0
        self._repeat = repeat
        return True

    @action
    async def next_pref_stream(self) -> bool:
        """Go to the next entry of the playlist; after the last comes the first.

        True when there is a playlist. False when it is empty. Sends nothing.
        """
        if not self._preferred_streams:
            return self.because("the playlist is empty")
        self._cur_preferred_stream = (self._cur_preferred_stream + 1) % len(self._preferred_streams)
        return True

    @action
    async def first_pref_stream(self) -> bool:
        """Go back to the first entry of the playlist.

        True when there is a playlist. False when it is empty. Sends nothing.
        """
        if not self._preferred_streams:
            return self.because("the playlist is empty")
        self._cur_preferred_stream = 0
        return True

    @action
    async def check_pref_stream(self, what: str = "last") -> bool:
        """Check where in the playlist the current entry is.

        Args:
            what: ``first``, ``last``, ``last_round`` (in the last repetition), ``last_song`` (last of a repetition), or
                one of these with ``not_`` before it.

        True when the condition holds. False when it does not, or the playlist is empty. Sends nothing.

        Raises:
            LabError: an unknown condition.
        """
        if what not in CHECKS:
            raise LabError(f"the playlist has no condition {what!r}.{did_you_mean(what, CHECKS)}")
        if not self._preferred_streams:
            return self.because("the playlist is empty")
        position, total = self._cur_preferred_stream, len(self._preferred_streams)
        songs = total // self._repeat
        holds = {
            "first": position == 0,
            "last": position == total - 1,
            "last_round": position + songs >= total,
            "last_song": (position + 1) % songs == 0,
        }[what.removeprefix("not_")]
        return holds != what.startswith("not_") or self.because(f"entry {position + 1} of {total} is not {what!r}")
