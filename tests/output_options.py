"""The options of the table `OUTPUTS` that take a path."""

from chaperon.cli.outputs import OUTPUTS


def is_path(option):
    """Return whether an option takes the path of a file or a folder."""
    return option.settings.get("metavar", "").startswith(("FILE", "DIR"))


def paths():
    """Return a path for each output that writes a file, or files to a folder, by option: {"--json": "o.json"}.

    `--samples` is left out: it is for a run in one process.
    """
    found = [option for row in OUTPUTS for option in row.options if is_path(option) and option.name != "samples"]
    return {option.flag: option.name if option.settings["metavar"] == "DIR" else f"o.{option.name}" for option in found}
