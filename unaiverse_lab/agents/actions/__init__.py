"""The built-in actions, one file per family."""

from unaiverse_lab.agents.actions.discovery import DiscoveryActions
from unaiverse_lab.agents.actions.engagement import EngagementActions
from unaiverse_lab.agents.actions.governance import GovernanceActions
from unaiverse_lab.agents.actions.learning import LearningActions
from unaiverse_lab.agents.actions.playlist import PlaylistActions
from unaiverse_lab.agents.actions.pubsub import PubSubActions
from unaiverse_lab.agents.actions.scores import StatsActions
from unaiverse_lab.agents.actions.work import WorkActions

__all__ = [
    "DiscoveryActions",
    "EngagementActions",
    "GovernanceActions",
    "LearningActions",
    "PlaylistActions",
    "PubSubActions",
    "StatsActions",
    "WorkActions",
]
