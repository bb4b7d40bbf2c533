"""Many processes, many machines, as one."""
