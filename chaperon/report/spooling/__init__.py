"""The seconds of every series of a run, kept until its report is made."""
