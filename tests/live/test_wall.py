"""The clock of a live world that follows real time."""

from __future__ import annotations

import time

import pytest

from live.rooms import HubWorld
from live.threads import live_room
from unaiverse_lab.core.clock import Pace, VirtualClock
from unaiverse_lab.live.broker import Broker


class Hands:
    """A clock on the wall that is moved by whoever waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def read(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)


def test_ticks_come_when_it_is_time_and_lost_time_is_given_up() -> None:
    hands, clock = Hands(), VirtualClock(0.5)
    pace = Pace(clock, hands.read, patience=2.0)
    came = []
    for tick in range(12):
        clock.move_to(tick)
        hands.now += {4: 1.4, 8: 30.0}.get(tick, 0.0)
        pace.hold(hands.wait)
        came.append(round(hands.now - 100, 2))
    assert came == [0, 0.5, 1.0, 1.5, 2.9, 2.9, 3.0, 3.5, 33.5, 34.0, 34.5, 35.0]


def test_with_a_wall_clock_nobody_is_waited_for() -> None:
    live = HubWorld("chat", 3, clock="wall")
    hands = Hands()
    assert live.host.pace is not None
    live.host.pace = Pace(live.session.synchronizer.clock, hands.read)
    live.host.pace.hold = lambda wait: (live.hub.let_others_act(), hands.wait(0.01))  # type: ignore[method-assign, assignment, return-value]
    ada = live.members[3]
    live.session.step(20)
    live.hub.meanwhile.remove(ada.pump)
    live.session.step(30)
    assert live.session.tick == 49
    assert live.session.status()[-1][0] == "Ada"
    turns = sum(record.origin == "M3" for record in live.hub.log)
    assert ada.pump() == 30
    live.hub.meanwhile.append(ada.pump)
    live.session.step(100)
    assert sum(record.origin == "M3" for record in live.hub.log[: live.hub.marker]) > turns
    assert len(live.session.world.roster) == 4
    assert ada.home is not None
    assert ada.home.clock.tick >= live.session.tick - 1


@pytest.mark.live
def test_a_host_that_rests_loses_nobody(broker: Broker) -> None:
    for clock in ("wall", "lockstep"):
        with live_room("chat", broker.url, clock=clock) as (session, live, threads):
            session.step(5)
            live.host.grace = live.host.barrier = 0.5
            time.sleep(2.5)
            assert max(thread.port.silence for thread in threads) < 2.4
            session.step(5)
            assert len(session.nodes) == 5
            assert live.status()["late"] == []
