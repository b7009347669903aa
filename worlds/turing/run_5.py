"""A person who leaves early. With no keyboard at hand she follows a script."""

from src.players import Person

from unaiverse_lab import Agent, Node

LINES = [
    "Hello, it's my first time here.",
    "That's funny, {other}.",
    "I can't stay long, I've got a train to catch.",
    "exit",
]

agent = Agent(proc="human", proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="Clementine", run_hook=Person(LINES, pace=3.0))
node.run(join_world="TuringHotel", interact_mode=True)
