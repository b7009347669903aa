"""What goes past the log, on both carriers: offers, which may be lost; questions to the host; the state it saves."""

from __future__ import annotations

import time
from typing import Any

import pytest

from live.places import Place, gathered
from live.places import place as place
from live.places import url as url
from unaiverse_lab import Session, World
from unaiverse_lab.live.host import Host
from unaiverse_lab.live.memory import MemoryHostPort, MemoryHub, MemoryPort
from unaiverse_lab.live.port import OFFERS, Offer, Refused
from unaiverse_lab.live.wire import FRAME, EventTooLarge, Kind, body_in, frame_of


def offered(port: Any, count: int) -> list[Offer]:
    return gathered(port.offers, count, port.wait)


def numbers(offers: list[Offer], origin: str) -> list[int]:
    return [body_in(one.frame, int) for one in offers if one.origin == origin]


def test_everybody_who_listens_hears_what_others_offer_and_not_what_it_offers_itself(place: Place) -> None:
    ann, bob, cyd = (place.member(nid) for nid in ("A", "B", "C"))
    for port in (ann, bob, place.host):
        assert port.offers() == []
    for number in range(50):
        assert ann.offer(frame_of(Kind.SAMPLE, number))
        assert place.host.offer(frame_of(Kind.SAMPLE, 100 + number))
    heard = offered(bob, 100)
    assert numbers(heard, "A") == list(range(50))
    assert numbers(heard, "HOST") == list(range(100, 150))
    assert numbers(offered(ann, 50), "HOST") == list(range(100, 150))
    assert numbers(offered(place.host, 50), "A") == list(range(50))
    for port in (ann, bob, place.host, cyd):
        assert port.offers() == []
        assert port.lost == 0
    assert place.term.next_inputs() == []


def test_of_too_many_the_newest_are_kept_and_the_others_counted(place: Place) -> None:
    ann, bob = place.member("A"), place.member("B")
    bob.offers()
    for number in range(3 * OFFERS):
        ann.offer(frame_of(Kind.SAMPLE, number))
        if number % 64 == 0 and hasattr(ann, "link"):
            ann.link.call(ann.link.barrier(), 5)
    give_up = time.monotonic() + 10
    while bob.lost < 2 * OFFERS and time.monotonic() < give_up:
        bob.wait(0.01)
        time.sleep(0.01)
    assert bob.lost == 2 * OFFERS
    assert numbers(bob.offers(), "A") == list(range(2 * OFFERS, 3 * OFFERS))


def test_what_is_too_long_is_not_offered_and_a_closed_port_offers_nothing(place: Place) -> None:
    ann = place.member("A")
    with pytest.raises(EventTooLarge):
        ann.offer(frame_of(Kind.SAMPLE, b"x" * (FRAME + 1)))
    ann.close()
    assert ann.offer(frame_of(Kind.SAMPLE, 1)) is False
    assert ann.lost == 1


def test_a_question_is_answered_or_refused_with_a_reason(place: Place) -> None:
    ann = place.member("A")
    place.term.answers["double"] = lambda nid, asked: {"of": nid, "is": 2 * asked["x"]}
    assert ann.query("double", {"x": 21}) == {"of": "A", "is": 42}
    with pytest.raises(Refused, match=r"answers no question 'duble'\. Did you mean 'double'") as caught:
        ann.query("duble")
    assert caught.value.reason == "unknown_question"
    with pytest.raises(Refused, match="KeyError") as caught:
        ann.query("double", {"y": 1})
    assert caught.value.reason == "malformed"
    with pytest.raises(Refused):
        ann.query("no question")


@pytest.mark.live
def test_who_is_not_there_does_not_answer(broker: Any) -> None:
    place = Place(broker.url)
    ann = place.member("A")
    place.host.close()
    with pytest.raises(Refused, match="nobody answered 'time'") as caught:
        ann.query("time", timeout=0.3)
    assert caught.value.reason == "no_answer"
    place.close()


def test_a_host_tells_the_time_who_is_there_and_how_it_goes() -> None:
    hub = MemoryHub()
    session = Session(World(), name="room")
    Host(session, MemoryHostPort(hub, "HOST"))
    session.step(4)
    port = MemoryPort(hub, "A")
    told = port.query("time")
    assert told == {"tick": 3, "time": pytest.approx(3 * told["delta"]), "clock": "lockstep", "delta": told["delta"]}
    assert port.query("roster") == {"room": "world"}
    assert port.query("status")["refused"] == 0


def test_the_state_of_a_world_is_replaced_only_by_the_host_that_knows_the_last_one(place: Place) -> None:
    assert place.term.checkpoint is None
    long = bytes(range(256)) * 5000
    for tick, state in enumerate((b"", b"small", long, b"after")):
        assert place.term.save(state, tick, 10 * tick)
        other = place.host.campaign()
        assert other.checkpoint == (tick, 10 * tick, place.term.epoch, state)
    assert other.save(long, 4, 40)
    assert not place.term.save(b"late", 4, 41)
    assert place.host.campaign().checkpoint == (4, 40, other.epoch, long)
