"""The kinds of load: each class answers what planning, sharing, reporting and performing ask of it.

A new kind is a class here and a performer in `chaperon.load.performers`, entered in
`chaperon.load.engine.PERFORMERS`.
"""
