"""Running worlds: nodes, the synchronizer with its clock and agenda, the trace, sessions, world folders."""
