"""Agents: processors with streams and peers, their built-in actions and their interactions."""

from unaiverse_lab.agents.agent import Agent

__all__ = ["Agent"]
