"""The three state machines, by hand. Managers go round and round; a guest goes from the door to the booth and back."""

from unaiverse_lab import HybridStateMachine

from .rules import Rules


def hotel_manager(behav: HybridStateMachine, rules: Rules) -> None:
    """A round: meet floors, take guests back, place those in the hall, hear the news, count votes."""
    seats = {
        "max_guests_per_room": rules.max_guests_per_room,
        "max_overbooked_guests": rules.max_overbooked_guests,
    }
    patience = {"patience": rules.disconnect_non_responsive_managers_after + rules.moving_time}
    votes = {"min_msgs_from_votee": rules.min_msgs_from_votee}

    behav.add_state("init", waiting_time=rules.time_between_rounds)
    for state in ("discovery_complete", "checked_in", "ready_for_news", "hotel_updated", "votes_processed"):
        behav.add_state(state, blocking=state == "ready_for_news")

    behav.add_transit("init", "discovery_complete", action="discover_floor_managers")
    behav.add_transit(
        "discovery_complete",
        "discovery_complete",
        action="guest_back_to_hall",
        args={"decompression_time": rules.decompression_time},
    )
    behav.add_transit("discovery_complete", "checked_in", action="check_in", args={**seats, **patience})
    behav.add_transit("checked_in", "ready_for_news", action="send_to_floor", args=patience)
    behav.add_transit("ready_for_news", "hotel_updated", action="update_hotel", args=seats)
    behav.add_transit("ready_for_news", "votes_processed", action="get_votes", args=votes)
    behav.add_transit("hotel_updated", "votes_processed", action="get_votes", args=votes)
    behav.add_transit("votes_processed", "init", action="send_violations")

    behav.add_teleport("init", "discovery_complete", action="nop")
    behav.add_teleport("discovery_complete", "ready_for_news", action="nop")
    behav.add_teleport("checked_in", "ready_for_news", action="nop")
    behav.add_teleport("ready_for_news", "init", action="nop")
    behav.add_teleport("hotel_updated", "votes_processed", action="nop")
    behav.add_teleport("votes_processed", "init", action="nop")


def floor_manager(behav: HybridStateMachine, rules: Rules) -> None:
    """A round: seat guests, look after them, publish, hand over votes, carry messages."""
    seats = {
        "rooms_per_floor": rules.rooms_per_floor,
        "max_guests_per_room": rules.max_guests_per_room,
        "max_overbooked_guests": rules.max_overbooked_guests,
    }
    times = {
        "test_duration": rules.test_duration,
        "send_reminder_every": rules.send_reminder_every,
        "moving_time": rules.moving_time,
        "survey_reply_time": rules.survey_reply_time,
        "broadcast_when_no_humans": rules.broadcast_when_no_humans,
    }

    behav.add_state("init", waiting_time=rules.time_between_rounds)
    chain = ["checked_in", "ready_to_send_news", "guests_status_updated", "floor_updates_shared", "votes_sent"]
    for state in ("getting_sponsorships", *chain, "collect_msgs"):
        behav.add_state(state, blocking=False)

    behav.add_transit("init", "getting_sponsorships", action="nop")
    behav.add_transit("getting_sponsorships", "getting_sponsorships", action="get_guest_sponsor")
    behav.add_transit("getting_sponsorships", "checked_in", action="check_in", args=seats)
    behav.add_transit(
        "checked_in", "ready_to_send_news", action="send_to_room", args={"moving_time": rules.moving_time}
    )
    behav.add_transit("ready_to_send_news", "guests_status_updated", action="handle_guests_by_status", args=times)
    behav.add_transit(
        "guests_status_updated",
        "floor_updates_shared",
        action="pub_floor_updates",
        args={"send_floor_updates_every": rules.send_floor_updates_every},
    )
    behav.add_transit("floor_updates_shared", "votes_sent", action="send_votes")
    behav.add_transit("votes_sent", "collect_msgs", action="apply_violations")
    behav.add_transit(
        "collect_msgs",
        "collect_msgs",
        action="get_msg_and_broadcast",
        args={"exit_trigger_message": rules.exit_trigger_message},
    )

    behav.add_teleport("getting_sponsorships", "ready_to_send_news", action="nop")
    for here, following in zip(chain, [*chain[1:], "collect_msgs"], strict=True):
        behav.add_teleport(here, following, action="nop")
    behav.add_teleport("collect_msgs", "init", action="nop")


def guest(behav: HybridStateMachine, rules: Rules) -> None:
    """From the door to the hall, to a table, to the booth, and to the hall again."""
    hang_up, again = rules.disconnect_non_responsive_managers_after, rules.try_again_after

    behav.add_state(
        "init",
        action="init",
        args={"max_time_in_every_state": rules.max_time_in_every_state},
        blocking=False,
        msg="Type anything to come in.",
    )
    for state in (
        "ready",
        "reached_hotel_manager",
        "wait_for_ready",
        "hall",
        "reached_floor_manager",
        "wait_for_hall",
        "floor",
        "ready_for_room",
        "room_round_table",
        "msg_prepared",
        "room_voting_booth",
        "can_vote",
        "vote_provided",
    ):
        behav.add_state(state, blocking=state in ("ready", "hall", "room_round_table", "can_vote", "vote_provided"))

    behav.add_transit("init", "ready", action="process", ready=True)
    behav.add_transit("init", "ready", action="skip_confirmation")

    behav.add_transit("ready", "reached_hotel_manager", action="connect_to_hotel_manager")
    behav.add_transit("reached_hotel_manager", "hall", action="hotel_manager_ack")
    behav.add_teleport("reached_hotel_manager", "wait_for_ready", action="disconnect_hotel_manager", delay=hang_up)
    behav.add_transit("wait_for_ready", "ready", action="nop", delay=again)

    behav.add_transit("hall", "reached_floor_manager", action="connect_to_floor_manager")
    behav.add_transit("reached_floor_manager", "floor", action="floor_manager_ack")
    behav.add_teleport("reached_floor_manager", "wait_for_hall", action="disconnect_floor_manager", delay=hang_up)
    behav.add_transit("wait_for_hall", "hall", action="nop", delay=again)
    behav.add_transit("floor", "ready_for_room", action="send_guest_sponsor")
    behav.add_transit("ready_for_room", "room_round_table", action="goto_room")

    behav.add_transit("room_round_table", "msg_prepared", action="process", ready=True, high_priority=True)
    behav.add_transit("room_round_table", "room_round_table", action="get_msgs")
    behav.add_transit("room_round_table", "room_round_table", action="get_status_msg")
    behav.add_transit("room_round_table", "room_voting_booth", action="goto_voting_booth")
    behav.add_transit("msg_prepared", "room_round_table", action="send_msg")

    behav.add_transit(
        "room_voting_booth", "can_vote", action="nop", delay=rules.time_in_voting_booth_before_activating_vote
    )
    behav.add_transit("room_voting_booth", "room_voting_booth", action="get_status_msg")
    behav.add_transit("can_vote", "can_vote", action="get_status_msg")
    behav.add_transit("can_vote", "vote_provided", action="process")
    behav.add_transit("can_vote", "hall", action="goto_hall")
    behav.add_transit("vote_provided", "hall", action="goto_hall")
