"""A run in one process, put together: environment, plan, setup, load, report.

The folder is not called `run`, since the public function `chaperon.run` has that name.
"""
