"""A person. With no keyboard at hand she follows a script."""

from src.players import Person

from unaiverse_lab import Agent, Node

LINES = [
    "Hi all, how's your day been?",
    "I've just come back from the market, it's freezing outside.",
    "{other}, what's your favourite soup?",
    "Mine's with too much garlic, my kids won't eat it.",
]

agent = Agent(proc="human", proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="Alberta", run_hook=Person(LINES, pace=4.0))
node.run(join_world="TuringHotel", interact_mode=True)
