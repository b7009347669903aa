"""An object that adds two numbers, and the two events it knows."""

from fractions import Fraction

from unaiverse_lab.events import Action, Event, Object


class AgentWantsToAddTwoNumbersEvent(Event):
    event_type = "agent_wants_to_add_two_numbers_event"
    description = "Two numbers that somebody wants to have added."
    number1: float
    number2: float


class SendAddedNumbersToAgentEvent(Event):
    event_type = "send_added_numbers_to_agent_event"
    description = "The sum of two numbers."
    sum: float


class AddTwoNumbers(Action):
    trigger_event_class = AgentWantsToAddTwoNumbersEvent
    description = "Adds two numbers and sends the sum."

    def __call__(self, event: AgentWantsToAddTwoNumbersEvent) -> None:
        total = Fraction(str(event.number1)) + Fraction(str(event.number2))
        self.host_object.send_event(SendAddedNumbersToAgentEvent(target_id=event.sender_id, sum=float(total)))


class SimpleCalculator(Object):
    """Adds."""

    def __init__(self) -> None:
        super().__init__("Simple Calculator", "simple_calculator", "Adds two numbers.", actions=[AddTwoNumbers])
