"""Built-in actions: learning, recording, collecting answers, and judging them."""

from __future__ import annotations

import inspect
from typing import Any

from unaiverse_lab.agents.actions.work import WorkActions
from unaiverse_lab.behavior.actions import action
from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.core.interaction import CompletionReason, Interaction
from unaiverse_lab.core.ordered import OrderedSet
from unaiverse_lab.data.comparison import Comparison, compare
from unaiverse_lab.data.props import DataProps
from unaiverse_lab.data.sequences import BufferedStream

COMPARISONS = ("<", "<=", ">", ">=", "min", "max")


class LearningActions(WorkActions):
    """``learn``, ``record``, ``on_received``, ``evaluate``, ``compare_eval``."""

    @action
    async def learn(self, interaction: Interaction | None = None) -> bool:
        """Run the processor once and correct it: inputs from stdin, what should have come out from stdtar.

        Args:
            interaction: the request being served; its streams are then stdin and stdtar.

        True when the step was made (a person has nothing to correct: always True). False when an input or a target is
        missing. Sends nothing by itself: outputs written for a request reach the requester at the end of the turn.

        Raises:
            LabError: the processor cannot learn.
            StreamError: a value is not what its slot declares.
        """
        if self.is_human():
            return True
        missing = [stream.name for stream in self.stdtar.values() if not stream.has_unread("learn", self.stdtar.uuid)]
        if missing:
            return self.because(f"nothing new on {', '.join(missing)}")
        taken = self.take_inputs()
        if taken is None:
            return False
        inputs, tag = taken
        targets = self.stdtar.get(requested_by="learn") or [None] * len(self.proc_outputs)
        stacks = self._need_link().stacks if self.processor.learner is not None else None
        learned = self.processor.learn(inputs, targets, *self._first_and_last(), stacks)
        self.lessons.append((learned, tag, self.stdout.uuid))
        return True

    def finish_lessons(self) -> None:
        """Write the outputs of the learning steps made in this tick, after all students have had their turn."""
        lessons, self.lessons = self.lessons, []
        for learned, tag, uuid in lessons:
            try:
                self.last_losses = learned.losses
                self.give_outputs(self.processor.to_streams(learned.outputs), tag, uuid)
            except Exception as error:
                self.record_fault(error, "learn")
                interaction = self.im.find(uuid) if uuid is not None else None
                if interaction is not None:
                    self.im.complete(interaction, CompletionReason.ERROR, detail=f"{type(error).__name__}: {error}")

    @action
    async def record(
        self, interaction: Interaction | None = None, record_uuid: str | None = "see_interaction_uuid"
    ) -> bool:
        """Record some steps of live streams or sequences into streams of one's own.

        Args:
            interaction: names the streams and the number of steps.
            record_uuid: accepted for compatibility: samples are always those of the interaction.

        After the last step the recordings are read-only streams of the group ``recorded<k>`` (k from 1), called
        ``<name>@recorded<k>``, with tags 0, 1, ...
        True when all streams had a sample, at each step. False when there are no streams, or one had none. Sends the
        new profile to the world and all peers after the last step.
        """
        if interaction is None or not interaction.slots:
            return self.because("there are no streams to record")
        sources = [stream for bound in interaction.slots.values() for stream in bound.values()]
        values = [stream.get("record", interaction.uuid) for stream in sources]
        if any(value is None for value in values):
            return self.because("some stream has nothing new")
        tapes: list[BufferedStream] | None = interaction.get_mark()
        if tapes is None:
            group = f"recorded{self._recordings + 1}"
            tapes = [BufferedStream(_recorded_props(stream.props, group)) for stream in sources]
            interaction.set_mark(tapes)
        for tape, value in zip(tapes, values, strict=True):
            tape.set(value, data_tag=self.get_action_step())
        if self.is_last_action_step():
            self._recordings += 1
            for tape in tapes:
                tape.is_read_only = True
                tape.clear_all_data()
                self.add_stream(tape)
            self.send_profile_to_all()
        return True

    @action
    async def on_received(self, processing_fcn: str | None = None, data_type: str | None = None) -> bool:
        """Collect what the agents asked for something have answered so far.

        Args:
            processing_fcn: own method called with ``(peer_id, props, data, data_tag)`` for each new sample.
            data_type: only samples of this type.

        True when there was at least one new sample. False when there was none. Sends nothing.

        Raises:
            LabError: there is no such method.
        """
        handle = getattr(self, processing_fcn, None) if processing_fcn is not None else None
        if processing_fcn is not None and handle is None:
            raise LabError(f"there is no method {processing_fcn!r}.{did_you_mean(processing_fcn, dir(self))}")
        found = False
        just_done = [*self.recently_done, *self.im.just_completed]
        asked = [*self.im.sent.values(), *(one for one in just_done if one.side == "sent")]
        for uuid, peers in [(one.uuid, one.target) for one in asked]:
            for peer in peers:
                for stream in self.known_streams.get(peer, {}).values():
                    if stream.props.group != "processor" or (data_type and stream.props.data_type != data_type):
                        continue
                    for value, tag, _ in stream.read("on_received", uuid):
                        found = True
                        if handle is not None:
                            result = handle(peer, stream.props, value, tag)
                            if inspect.isawaitable(result):
                                await result
        return found or self.because("no new answer")

    received_some_asked_data = on_received

    @action
    async def evaluate(
        self,
        stream_hash: str,
        how: str,
        steps: int = 100,
        re_offset: bool = False,
        agents_to_evaluate: Any = None,
    ) -> bool:
        """Compare the last answers of some agents with a reference.

        Args:
            stream_hash: own sequence or group that holds the reference; ``<playlist>``: the current entry.
            how: ``"mse"``, ``"max"`` or ``"geq<number>"``.
            steps: how many samples.
            re_offset: align the first tags of reference and answer.
            agents_to_evaluate: default: the engaged agents.

        The errors (lower is better) are then known to ``compare_eval``; the details are in ``comparisons[peer]``.
        True when at least one agent was evaluated. False when none has answered. Sends nothing.

        Raises:
            LabError: answers are not kept (``buffer_generated_by_others``), or there is no such reference.
        """
        if self.buffer_generated_by_others == "none":
            raise LabError("answers are not kept: create the agent with buffer_generated_by_others='one' or 'all'")
        peers = self.chosen_agents(agents_to_evaluate) if agents_to_evaluate is not None else list(self._engaged_agents)
        references = self.find_streams(self.resolve_streams(stream_hash))
        sequences = [stream for stream in references if isinstance(stream, BufferedStream)]
        if not sequences:
            raise LabError(f"{stream_hash!r} names no sequence of mine to compare answers with")
        self._eval_results.clear()
        self.comparisons: dict[str, Comparison] = {}
        for peer in peers:
            answers = self.answers.get(peer)
            if not answers:
                continue
            last = answers[next(reversed(answers))]
            pair = self._matching(peer, last, sequences)
            if pair is None:
                raise LabError(f"no answer of {peer} can be compared with {stream_hash!r}")
            answer, reference = pair
            expected = [(sample.tag, sample.value) for sample in reference.take(steps)]
            result = compare(expected, answer, how, steps, re_offset)
            self.comparisons[peer] = result
            self._eval_results[peer] = result.error
        return bool(self._eval_results) or self.because("nobody has answered")

    def _matching(
        self, peer: str, answers: dict[str, list[tuple[int, Any]]], references: list[BufferedStream]
    ) -> tuple[list[tuple[int, Any]], BufferedStream] | None:
        known = self.known_streams.get(peer, {})
        pairs = [
            (answers[name], reference)
            for name in answers
            for reference in references
            if name in known and reference.props.is_compatible(known[name].props)
        ]
        labelled = [pair for pair in pairs if pair[1].props.has_tensor_labels()]
        return next(iter(labelled or pairs), None)

    @action
    async def compare_eval(self, cmp: str, thres: float, good_if_true: bool = True) -> bool:
        """Choose the valid agents by their errors.

        Args:
            cmp: ``<``, ``<=``, ``>``, ``>=`` (all that satisfy it), ``min`` or ``max`` (the best one; ties: the first).
            thres: the threshold; for ``min`` and ``max`` a bar, none if negative.
            good_if_true: with the first four: choose those that satisfy it, or those that do not.

        True when at least one agent is valid; they are then ``<valid_cmp>``. False when nobody was evaluated or nobody
        qualifies. Sends nothing.

        Raises:
            LabError: an unknown comparison.
        """
        if cmp not in COMPARISONS:
            raise LabError(f"there is no comparison {cmp!r}.{did_you_mean(cmp, COMPARISONS)}")
        self._valid_cmp_agents.clear()
        if not self._eval_results:
            return self.because("nobody was evaluated")
        holds = {
            "<": lambda error: error < thres,
            "<=": lambda error: error <= thres,
            ">": lambda error: error > thres,
            ">=": lambda error: error >= thres,
        }
        if cmp in holds:
            chosen = [peer for peer, error in self._eval_results.items() if holds[cmp](error) == good_if_true]
        else:
            best = (min if cmp == "min" else max)(self._eval_results, key=lambda peer: self._eval_results[peer])
            error = self._eval_results[best]
            passes = thres < 0 or (error <= thres if cmp == "min" else error >= thres)
            chosen = [best] if passes else []
        self._valid_cmp_agents = OrderedSet(chosen)
        errors = ", ".join(f"{peer}: {error:.3f}" for peer, error in self._eval_results.items())
        return bool(chosen) or self.because(f"nobody qualifies ({errors}; {cmp} {thres})")


def _recorded_props(props: DataProps, group: str) -> DataProps:
    recorded = props.clone()
    recorded.name = f"{props.name.partition('@')[0]}@{group}"
    recorded.group = group
    return recorded
