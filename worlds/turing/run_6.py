"""A person whom everybody takes for a machine. With no keyboard at hand he follows a script."""

from src.players import Person

from unaiverse_lab import Agent, Node

LINES = [
    "Hello. I speak slowly, and very correctly.",
    "I do not like soup, {other}.",
    "You are all very quick.",
]

agent = Agent(proc="human", proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="Demetrio", run_hook=Person(LINES, pace=4.5))
node.run(join_world="TuringHotel", interact_mode=True)
