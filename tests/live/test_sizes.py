"""C5 of ``test_conformance``, on both carriers: how long things may be, and what happens to what is too long."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from live.conftest import broker as broker
from live.places import (
    Live,
    Place,
    hold,
    turn,
)  # fmt: skip
from live.places import live as live
from live.places import place as place
from live.places import url as url
from unaiverse_lab.core.envelope import AgentRefusal, Contact
from unaiverse_lab.core.limits import NotSendable
from unaiverse_lab.live.nats_port import CHUNK
from unaiverse_lab.live.port import BlobError, Refused
from unaiverse_lab.live.wire import (
    FRAME,
    INLINE,
    MAX_BLOB,
    BlobRef,
    Delivery,
    Doing,
    EventTooLarge,
    Kind,
    Parcel,
    Turn,
    View,
    body_in,
    frame_of,
    pack,
    split_delivery,
    unpack,
)
from unaiverse_lab.runtime.codec import encode


def test_c5_a_frame_is_as_long_as_it_may_be_and_no_longer(place: Place) -> None:
    port = place.member("A")
    longest = FRAME - 5  # MessagePack says in five bytes how long these are
    for size in (longest - 1, longest):
        port.post(turn(size=size))
    port.flush()
    assert [len(body_in(record.frame, bytes)) for record in place.read(2)] == [longest - 1, longest]
    with pytest.raises(EventTooLarge, match=str(FRAME)):
        port.post(turn(size=longest + 1))
    port.post(turn())
    port.flush()
    assert place.read(1)[0].frame.n == 3


def test_c5_messages_travel_in_frames_or_as_blobs_and_nobody_notices(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = [limit + step for limit in (INLINE // 2, FRAME, CHUNK) for step in (-1, 0, 1)]
    texts = ["x" * (2 * size - len(encode(AgentRefusal("x" * size)))) for size in limits]
    texts += ["x" * (INLINE + step) for step in (-1, 0, 1)]
    sizes = [len(encode(AgentRefusal(text))) for text in texts]
    assert sizes[: len(limits)] == limits
    live.session.step(3)
    speaker, port = live.agent("M1"), live.members[2].port
    put, stored = port.put_blob, []
    monkeypatch.setattr(port, "put_blob", lambda data, media="": stored.append(len(data)) or put(data, media))
    for text in texts:
        speaker._need_link().post("Ear", AgentRefusal(text))
    live.session.step(3)
    assert [said for _, sender, said in live.agent("Ear").heard if sender == "M1" and said[0] == "x"] == texts
    assert stored == [size for size in sizes if size > INLINE // 2]


def test_c5_blobs_have_their_limits(place: Place) -> None:
    port = place.member("A")
    for size in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1):
        data = os.urandom(size)
        ref = port.put_blob(data, "text/plain")
        assert (ref.length, ref.media, ref.owner) == (size, "text/plain", "A")
        assert place.host.get_blob(ref) == data
    with pytest.raises(EventTooLarge, match=str(MAX_BLOB)):
        port.put_blob(bytes(MAX_BLOB + 1))
    with pytest.raises(BlobError):
        place.host.get_blob(BlobRef(ref.sha256, ref.length - 1, "", "A"))
    for wrong in (BlobRef("../" * 21 + "x", 5, "", "A"), BlobRef("0" * 64, MAX_BLOB + 1, "", "A")):
        with pytest.raises(BlobError):
            place.host.get_blob(wrong)


def test_c5_a_blob_that_is_not_there_is_soon_missed_and_one_behind_a_broken_link_is_waited_for(place: Place) -> None:
    port = place.member("A")
    ref = place.host.put_blob(b"x" * CHUNK * 3)
    began = time.monotonic()
    with pytest.raises(BlobError, match="is not there"):
        port.get_blob(BlobRef("0" * 64, MAX_BLOB, "", "A"))
    assert time.monotonic() - began < 5
    link = getattr(port, "link", None)
    if link is not None:
        link.call(hold(link), 5)
        timer = threading.Timer(0.6, lambda: link.soon(link.up.set))
        timer.start()
    assert port.get_blob(ref, timeout=0.3) == b"x" * CHUNK * 3


def test_c5_what_comes_with_a_blob_that_is_not_there_comes_all_the_same(live: Live) -> None:
    live.session.step(3)
    nowhere = BlobRef("0" * 64, 5, "", "M1")
    parcels = [
        Parcel("M1", "Ear", encode(AgentRefusal("one"))),
        Parcel("M1", "Ear", nowhere),
        Parcel("M1", "Ear", encode(AgentRefusal("two"))),
    ]
    live.members[2].port.post(frame_of(Kind.TURN, Turn([Doing("M1", False, list(parcels), [nowhere])])))
    live.session.step(2)
    assert [said for _, sender, said in live.agent("Ear").heard if sender == "M1" and said in ("one", "two")] == [
        "one", "two"
    ]  # fmt: skip
    assert (live.session.nodes["M1"].dropped, live.host.refused) == (2, 2)
    assert live.host.status()["late"] == []
    emit, guest = live.host._emit, live.host.guests["N0"]

    def emit_more(to: Any, parts: list[Delivery], tick: int) -> None:
        if to is guest:
            parts[0].parcels += parcels
        emit(to, parts, tick)

    live.host._emit = emit_more  # type: ignore[method-assign]
    live.session.step(1)
    live.host._emit = emit  # type: ignore[method-assign]
    live.session.step(2)
    assert [said for _, _, said in live.agent("Ear").heard if said in ("one", "two")] == ["one", "two"] * 2
    assert live.members[0].dropped == 1


def test_c5_the_longest_blob_is_stored() -> None:
    place = Place(None)
    port = place.member("A")
    for size in (MAX_BLOB - 1, MAX_BLOB):
        assert len(place.host.get_blob(port.put_blob(bytes(size)))) == size


def test_c5_a_member_may_know_thousands_and_have_long_reasons(live: Live) -> None:
    live.session.step(3)
    node, far = live.members[2].nodes[0], live.session.nodes["M1"]
    assert node.agent is not None and far.agent is not None
    before = list(node.agent.all_agents)
    node.agent.all_agents.update({f"peer{number:060}": node.profile for number in range(5000)})
    node.why_refused = "because " * 20_000
    live.session.step(2)
    assert list(far.agent.all_agents) == list(node.agent.all_agents)
    assert far.why_refused == node.why_refused[:4096]
    for peer in list(node.agent.all_agents)[len(before) :]:
        del node.agent.all_agents[peer]
    live.session.step(2)
    assert list(far.agent.all_agents) == before
    assert live.host.refused == 0


def test_c5_a_world_of_ten_thousand_nodes_can_be_told(place: Place) -> None:
    names = [f"node{number}" for number in range(10_000)]
    nodes = [(name, name, f"U{name:>055}") for name in names]
    view = View("World", "World", [(name, 1) for name in names], nodes, [], {})
    port = place.member("A")
    assert unpack(port.get_blob(place.host.put_blob(pack(view))), View) == view
    approvals = split_delivery([Parcel("World", name, encode(Contact({"x": name}))) for name in names])
    assert sum(len(one.parcels) for one in approvals) == 10_000
    assert max(len(bytes(frame_of(Kind.DELIVERY, one).body)) for one in approvals) <= FRAME


def test_c5_who_leaves_may_say_a_lot(live: Live) -> None:
    live.session.step(3)
    words = [f"{number} " * 300 for number in range(200)] + ["x" * 50_000, "y" * 500_000]
    for text in words:
        live.agent("M1")._need_link().post("Ear", AgentRefusal(text))
    live.order.remove(2)
    live.members[2].leave("good" + "bye" * 1000)
    live.session.step(2)
    assert [text for _, sender, text in live.agent("Ear").heard if sender == "M1"][-len(words) :] == words
    assert "M1" not in live.session.nodes
    assert live.host.refused == 0


def test_c5_questions_have_the_limits_of_messages_and_answers_those_of_frames(place: Place) -> None:
    port = place.member("A")
    place.term.answers.update(echo=lambda nid, body: body, long=lambda nid, body: {"x": "y" * FRAME})
    assert port.query("echo", {"x": [1, "y", None]}) == {"x": [1, "y", None]}
    with pytest.raises(NotSendable, match=r"question\.x: nan is no finite number"):
        port.query("echo", {"x": float("nan")})
    with pytest.raises(EventTooLarge):
        port.query("echo", {"x": "y" * FRAME})
    with pytest.raises(Refused, match="the answer is too long") as caught:
        port.query("long")
    assert caught.value.reason == "too_large"


def test_c5_no_message_is_taken_that_could_not_be_sent(live: Live) -> None:
    live.session.step(3)
    link = live.agent("M1")._need_link()
    with pytest.raises(NotSendable, match=r"agent_refusal: .* is the most a message may have"):
        link.post("Ear", AgentRefusal("x" * MAX_BLOB))
    live.session.step(3)
    assert live.host.status()["late"] == []
