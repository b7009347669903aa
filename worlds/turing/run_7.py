"""A program that has learned how people talk; it takes a second or two to answer."""

from src.players import PersonaBot

from unaiverse_lab import Agent, Node, PolicyFilterDelayAction

pause = PolicyFilterDelayAction({"process"}, wait=1.0, add_random_up_to=1.0)
agent = Agent(proc=PersonaBot("cheerful"), proc_inputs=["text"], proc_outputs=["text"], policy_filter=pause)
node = Node(agent, node_name="Eliza1")
node.run(join_world="TuringHotel")
