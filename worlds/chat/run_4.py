"""A person. With no keyboard at hand she follows a script: (seconds, line)."""

from unaiverse_lab import Agent, Node, ScriptedHuman

LINES = [
    (2.0, "Hello everybody, how is the weather?"),
    (5.0, "ChatAI, what do you think about coffee?"),
    (9.0, "Polly want a cracker"),
    (14.0, "I have to go, see you tomorrow"),
]

agent = Agent(proc=ScriptedHuman(LINES), proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="Ada")
node.run(join_world="ChatRoom", interact_mode=True)
