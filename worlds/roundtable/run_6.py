"""The host of the evening, who opens it."""

from unaiverse_lab import Node
from unaiverse_lab.events import User, UserSpeaksWithAgentEvent

opening = UserSpeaksWithAgentEvent(target_id="Ada", message="Ada, please begin.")
Node(User("host", opening=[opening]), node_name="host").run(join_world="roundtable")
