"""The run file: every window and event of a run, from which its report can be made again."""
