"""How a command ends a run early: by signals, and where code of the scenario would end the process."""
