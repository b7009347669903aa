"""A visitor, who wakes both."""

from unaiverse_lab import Node
from unaiverse_lab.events import User, UserSpeaksWithAgentEvent

words = [UserSpeaksWithAgentEvent(target_id=name, message="Good morning!") for name in ("Eva", "Finn")]
Node(User("visitor", opening=words), node_name="visitor").run(join_world="house")
