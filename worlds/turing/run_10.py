"""Another one."""

from src.players import WordBot

from unaiverse_lab import Agent, Node, PolicyFilterDelayAction

pause = PolicyFilterDelayAction({"process"}, wait=1.0, add_random_up_to=1.0)
agent = Agent(proc=WordBot(seed=2), proc_inputs=["text"], proc_outputs=["text"], policy_filter=pause)
node = Node(agent, node_name="Univac4")
node.run(join_world="TuringHotel")
