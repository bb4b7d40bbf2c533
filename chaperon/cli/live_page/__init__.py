"""The live page on the command line: its options, and starting runs from it."""
