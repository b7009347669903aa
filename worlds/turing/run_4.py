"""A person. With no keyboard at hand he follows a script."""

from src.players import Person

from unaiverse_lab import Agent, Node

LINES = [
    "Good evening everybody.",
    "{other}, are you one of the machines?",
    "I'm not telling you what I am.",
    "My grandmother's clock is slow, so I'm always late.",
]

agent = Agent(proc="human", proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="Bertrand", run_hook=Person(LINES, pace=5.0))
node.run(join_world="TuringHotel", interact_mode=True)
