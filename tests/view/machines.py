"""Real machines, as dicts in the JSON format of behaviors: chat, the teaching templates, larger ones."""

from __future__ import annotations

from typing import Any

Machine = dict[str, Any]
Row = tuple[Any, ...]


def edge(action: str, goto: str, **on: Any) -> dict[str, Any]:
    """One transition; keywords that are not fields of ``on`` are arguments of the action."""
    fields = {
        "msg": None,
        "ready": True,
        "high_priority": False,
        "max_duration": 0,
        "retry_timeout": 0,
        "delay": 0,
    }
    arguments = {key: value for key, value in on.items() if key not in fields}
    fields.update((key, value) for key, value in on.items() if key in fields)
    return {"on": {"action": action, "action_kwargs": arguments, **fields}, "goto": goto}


def state(action: str | None = None, *, blocking: bool = True, wait: float = 0, **arguments: Any) -> dict[str, Any]:
    return {
        "action": action,
        "action_kwargs": arguments,
        "msg": None,
        "blocking": blocking,
        "time_to_wait_before_acting": wait,
    }


def passing(action: str | None = None, **more: Any) -> dict[str, Any]:
    return state(action, blocking=False, **more)


def machine(
    role: str, initial: str, states: Machine, transitions: Machine, teleports: Machine | None = None
) -> Machine:
    return {
        "machine": {"role": role, "initial_state": initial, "msg": None, "options": {}},
        "states": states,
        "transitions": transitions,
        "teleports": teleports or {},
    }


def joined(role: str, initial: str, *parts: Machine) -> Machine:
    """One machine with the states and the transitions of all ``parts``."""
    whole = machine(role, initial, {}, {}, {})
    for part in parts:
        whole["states"].update(part["states"])
        for kind in ("transitions", "teleports"):
            for source, edges in part[kind].items():
                whole[kind].setdefault(source, []).extend(edges)
    return whole


USER = machine(
    "user",
    "init",
    {
        "init": state(),
        "waiting_handshake": passing(),
        "ready": state("check_messages", max_silence_seconds=25.0, talk_probability=0.01, history_len=3),
        "message_sent": passing(),
    },
    {
        "init": [edge("connect_to_broadcaster", "waiting_handshake", role="broadcaster")],
        "waiting_handshake": [
            edge("connected", "ready", handshake_completed=True),
            edge("disconnected", "init", delay=5.0),
        ],
        "ready": [
            edge("disconnected", "init", delay=5.0),
            edge("generate_and_send", "message_sent", samples=1),
        ],
        "message_sent": [edge("nop", "ready")],
    },
    {"waiting_handshake": [edge("nop", "init", delay=15.0)]},
)

BROADCASTER = machine(
    "broadcaster", "ready", {"ready": state()}, {"ready": [edge("broadcast_message", "ready", ready=False)]}
)


def engage(role: str) -> Machine:
    return machine(
        "teacher",
        "searching",
        {
            "searching": passing("disconnect_by_role", role=role, wait=5),
            "connected": state(),
            "can_engage": passing(),
            "engagement_complete": passing(),
            "connection_timeout": state(),
        },
        {
            "searching": [edge("connect_by_role", "connected", role=role)],
            "connected": [
                edge("agents_are_waiting", "connected"),
                edge("find_agents", "can_engage", role=role, handshake_completed=True),
            ],
            "can_engage": [edge("send_engage", "engagement_complete")],
            "connection_timeout": [edge("find_agents", "can_engage", role=role, handshake_completed=True)],
        },
        {
            "connected": [edge("nop", "connection_timeout", delay=45)],
            "can_engage": [edge("nop", "searching", delay=7.5)],
            "connection_timeout": [edge("nop", "searching")],
        },
    )


ENGAGE = engage("student")

LISTEN = machine(
    "student",
    "teacher_engaged",
    {"teacher_engaged": state(), "finished_learning": state(), "finished_exam": state()},
    {
        "teacher_engaged": [
            edge("learn", "finished_learning", ready=False),
            edge("process", "finished_exam", ready=False),
        ],
        "finished_learning": [edge("nop", "teacher_engaged")],
        "finished_exam": [edge("nop", "teacher_engaged")],
    },
)

LESSON = edge(
    "send",
    "student_finished_following",
    action_name="learn",
    streams={"stdin": ["<playlist>"], "stdtar": ["<playlist>"]},
    num_steps="<learn_steps>",
    timeout="<learn_time>",
    wait_completion=True,
    max_duration="<learn_time>",
    retry_timeout="<learn_time>",
)


def exam(streams: str) -> dict[str, Any]:
    return edge(
        "send",
        "student_finished_exam",
        action_name="process",
        streams=[streams],
        num_steps="<eval_steps>",
        timeout="<exam_time>",
        wait_completion=True,
        max_duration="<exam_time>",
        retry_timeout="<exam_time>",
    )


TEACH_REC = machine(
    "teacher",
    "begin_teaching",
    {
        "begin_teaching": passing(),
        "student_finished_following": passing(),
        "change_lecture": passing("next_pref_stream"),
        "exam_time": passing(),
        "student_finished_exam": passing(),
        "eval_time": passing("evaluate", stream="<exam_data_ref>", how="max", steps="<eval_steps>"),
        "good": passing(),
        "bad": passing(),
    },
    {
        "begin_teaching": [LESSON],
        "student_finished_following": [edge("nop", "change_lecture")],
        "change_lecture": [
            edge("check_pref_stream", "begin_teaching", what="not_first"),
            edge("check_pref_stream", "exam_time", what="first"),
        ],
        "exam_time": [exam("<exam_data_ref>")],
        "student_finished_exam": [edge("nop", "eval_time")],
        "eval_time": [edge("compare_eval", "good", cmp="<=", thres="<cmp_thres>"), edge("nop", "bad")],
    },
)

TEACH_PL = machine(
    "teacher",
    "begin_teaching",
    {
        **{name: passing() for name in ("begin_teaching", "student_finished_following")},
        "change_lecture": passing("next_pref_stream"),
        "exam_time": passing(),
        "student_finished_exam": passing(),
        "eval_time": passing("evaluate", stream="<playlist>", how="mse", steps="<eval_steps>"),
        "good": passing("next_pref_stream"),
        "bad": passing(),
        "finished_work": passing(),
    },
    {
        "begin_teaching": [LESSON],
        "student_finished_following": [edge("nop", "change_lecture")],
        "change_lecture": [
            edge("check_pref_stream", "begin_teaching", what="not_last_round"),
            edge("check_pref_stream", "exam_time", what="last_round"),
        ],
        "exam_time": [exam("<playlist>")],
        "student_finished_exam": [edge("nop", "eval_time")],
        "eval_time": [edge("compare_eval", "good", cmp="<=", thres="<cmp_thres>"), edge("nop", "bad")],
        "good": [
            edge("check_pref_stream", "exam_time", what="not_first"),
            edge("check_pref_stream", "finished_work", what="first"),
        ],
        "bad": [edge("first_pref_stream", "begin_teaching")],
    },
)

TEACH_SOC = machine(
    "teacher",
    "begin_teaching",
    {
        "begin_teaching": passing(),
        "student_finished_following": passing(wait=1),
        "exam_time": passing(),
        "student_finished_exam": passing(wait=5),
        "compare_time": passing("evaluate", stream="<agent>:eval", how="max", steps="<eval_steps>"),
        "best_found": passing(),
        "best_not_found": passing(),
        "change_lecture": passing("next_pref_stream"),
        "finished_teaching": passing(),
    },
    {
        "begin_teaching": [LESSON],
        "student_finished_following": [edge("nop", "exam_time")],
        "exam_time": [exam("<agent>:eval")],
        "student_finished_exam": [edge("nop", "compare_time")],
        "compare_time": [
            edge("compare_eval", "best_found", cmp="min", thres="<cmp_thres>"),
            edge("nop", "best_not_found"),
        ],
        "best_found": [edge("nop", "change_lecture")],
        "best_not_found": [edge("nop", "change_lecture")],
        "change_lecture": [
            edge("check_pref_stream", "begin_teaching", what="not_first"),
            edge("check_pref_stream", "finished_teaching", what="first"),
        ],
    },
)

ANIMAL_TEACHER = joined(
    "teacher",
    "init",
    machine(
        "teacher",
        "init",
        {
            name: state()
            for name in (
                "init",
                "snapshotting_albatross",
                "snapshotting_cheetah",
                "snapshotting_giraffe",
                "exam_prepared",
            )
        },
        {
            "init": [
                edge(
                    "record",
                    "snapshotting_albatross",
                    streams=["<world>:all"],
                    num_steps=30,
                    retry_timeout=30,
                )
            ],
            "snapshotting_albatross": [
                edge(
                    "record",
                    "snapshotting_cheetah",
                    streams=["<world>:albatross"],
                    num_steps=40,
                    retry_timeout=10,
                )
            ],
            "snapshotting_cheetah": [
                edge(
                    "record",
                    "snapshotting_giraffe",
                    streams=["<world>:cheetah"],
                    num_steps=40,
                    retry_timeout=10,
                )
            ],
            "snapshotting_giraffe": [
                edge("record", "exam_prepared", streams=["<world>:giraffe"], num_steps=40, retry_timeout=10)
            ],
            "exam_prepared": [edge("nop", "searching")],
        },
    ),
    ENGAGE,
    TEACH_REC,
    machine(
        "teacher",
        "init",
        {
            "good": passing("suggest_badges_to_world", agent="<valid_cmp>", score=1.0, badge_type="completed"),
            "promote": state(),
            "habilitate": state(),
            "goodbye": state(),
        },
        {
            "engagement_complete": [
                edge("set_pref_streams", "begin_teaching", streams=["<agent>:recorded2", "<agent>:recorded3"])
            ],
            "good": [edge("suggest_role_to_world", "promote", agent="<valid_cmp>", role="teacher")],
            "promote": [edge("send_disengage", "habilitate")],
            "bad": [edge("send_disengage", "goodbye")],
        },
    ),
)

SOCIAL_STUDENT = machine(
    "student",
    "init",
    {
        "init": passing("clear_pending_requests", preserve="engage"),
        "teacher_engaged": state(),
        "finished_learning": state(),
        "listening_to_best_student": passing(),
    },
    {
        "init": [edge("engage", "teacher_engaged", acceptable_role="teacher", ready=False)],
        "teacher_engaged": [
            edge("learn", "finished_learning", ready=False, max_duration=30, retry_timeout=10),
            edge("subscribe", "listening_to_best_student", ready=False),
            edge("teach", "teacher_engaged", ready=False, max_duration=30, retry_timeout=9.9),
        ],
        "finished_learning": [edge("process", "teacher_engaged", ready=False, max_duration=30, retry_timeout=15)],
        "listening_to_best_student": [
            edge("learn_from_student", "teacher_engaged", ready=False, max_duration=30, retry_timeout=9.9)
        ],
    },
    {
        "all": [
            edge("disengage", "init", ready=False),
            edge("disconnected", "init"),
            edge("nop", "init", delay=30),
        ]
    },
)

SOCIAL_TEACHER = joined(
    "teacher",
    "init",
    machine("teacher", "init", {"init": passing()}, {"init": [edge("nop", "searching")]}),
    ENGAGE,
    TEACH_SOC,
    machine(
        "teacher",
        "init",
        {
            "connected": state("clear_pending_requests"),
            "best_found": passing("manage_best_of_class"),
            "best_teaching": passing(),
            "wait_for_disengagement": state(wait=3),
        },
        {
            "engagement_complete": [
                edge("set_pref_streams", "begin_teaching", streams=["<agent>:teach_0", "<agent>:teach_1"])
            ],
            "best_found": [edge("social_round", "best_teaching")],
            "best_teaching": [edge("all_asks_done", "change_lecture")],
            "finished_teaching": [edge("send_disengage", "wait_for_disengagement", send_disconnection_too=True)],
            "wait_for_disengagement": [
                edge("all_sent_completed", "init", action_name="disengage"),
                edge("nop", "init", delay=60),
            ],
        },
        {"best_teaching": [edge("nop", "change_lecture", delay=60)]},
    ),
)

TURING_GUEST = machine(
    "guest",
    "init",
    {
        "init": passing("init"),
        "ready": state(),
        "reached_hotel_manager": passing(),
        "hall": state(),
        "wait_for_ready": passing(),
        "reached_floor_manager": passing(),
        "floor": passing(),
        "wait_for_hall": passing(),
        "ready_for_room": passing(),
        "room_round_table": state(),
        "msg_prepared": passing(),
        "room_voting_booth": passing(),
        "can_vote": state(),
        "vote_provided": state(),
    },
    {
        "init": [edge("process", "ready"), edge("skip_confirmation", "ready")],
        "ready": [edge("connect_to_hotel_manager", "reached_hotel_manager")],
        "reached_hotel_manager": [edge("hotel_manager_ack", "hall")],
        "hall": [edge("connect_to_floor_manager", "reached_floor_manager", ready=False)],
        "reached_floor_manager": [edge("floor_manager_ack", "floor")],
        "floor": [edge("send_guest_sponsor", "ready_for_room")],
        "ready_for_room": [edge("goto_room", "room_round_table", ready=False)],
        "room_round_table": [
            edge("process", "msg_prepared", high_priority=True),
            edge("get_msgs", "room_round_table", ready=False),
            edge("get_status_msg", "room_round_table", ready=False),
            edge("goto_voting_booth", "room_voting_booth", ready=False),
        ],
        "msg_prepared": [edge("send_msg", "room_round_table")],
        "room_voting_booth": [
            edge("nop", "can_vote", delay=3),
            edge("get_status_msg", "room_voting_booth", ready=False),
            edge("goto_hall", "hall", ready=False),
        ],
        "can_vote": [
            edge("get_status_msg", "can_vote", ready=False),
            edge("process", "vote_provided", ready=False),
            edge("goto_hall", "hall", ready=False),
        ],
        "vote_provided": [edge("goto_hall", "hall", ready=False)],
    },
    {
        "reached_hotel_manager": [edge("disconnect_hotel_manager", "wait_for_ready", delay=30)],
        "wait_for_ready": [edge("nop", "ready", delay=60)],
        "reached_floor_manager": [edge("disconnect_floor_manager", "wait_for_hall", delay=30)],
        "wait_for_hall": [edge("nop", "hall", delay=60)],
    },
)

HOTEL_MANAGER = machine(
    "hotel_manager",
    "init",
    {
        "init": state(),
        "discovery_complete": passing(),
        "checked_in": passing(),
        "ready_for_news": state(),
        "hotel_updated": passing(),
        "votes_processed": passing(),
    },
    {
        "init": [edge("discover_floor_managers", "discovery_complete")],
        "discovery_complete": [
            edge("guest_back_to_hall", "discovery_complete", ready=False),
            edge("check_in", "checked_in"),
        ],
        "checked_in": [edge("send_to_floor", "ready_for_news")],
        "ready_for_news": [edge("update_hotel", "hotel_updated"), edge("get_votes", "votes_processed")],
        "hotel_updated": [edge("get_votes", "votes_processed")],
        "votes_processed": [edge("send_violations", "init")],
    },
    {
        "init": [edge("nop", "discovery_complete")],
        "discovery_complete": [edge("nop", "ready_for_news")],
        "checked_in": [edge("nop", "ready_for_news")],
        "ready_for_news": [edge("nop", "init")],
        "hotel_updated": [edge("nop", "votes_processed")],
        "votes_processed": [edge("nop", "init")],
    },
)

REAL: dict[str, Machine] = {
    "user": USER,
    "broadcaster": BROADCASTER,
    "engage": ENGAGE,
    "listen": LISTEN,
    "teach_rec": TEACH_REC,
    "teach_pl": TEACH_PL,
    "teach_soc": TEACH_SOC,
    "animal_teacher": ANIMAL_TEACHER,
    "social_teacher": SOCIAL_TEACHER,
    "social_student": SOCIAL_STUDENT,
    "turing_guest": TURING_GUEST,
    "hotel_manager": HOTEL_MANAGER,
}
