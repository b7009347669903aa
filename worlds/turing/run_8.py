"""A program in a bad mood."""

from src.players import PersonaBot

from unaiverse_lab import Agent, Node, PolicyFilterDelayAction

pause = PolicyFilterDelayAction({"process"}, wait=1.0, add_random_up_to=1.0)
agent = Agent(proc=PersonaBot("grumpy"), proc_inputs=["text"], proc_outputs=["text"], policy_filter=pause)
node = Node(agent, node_name="Parry2")
node.run(join_world="TuringHotel")
