"""Prompts in the file formats that people share: read, matched with the classes of some data, and written.

`reading` tells which format a file has and reads it, with `lists`, `tables` and `texts`, one module a family of formats; `matching` finds
the classes that a file means; `taking` makes prompts of what was read, and counts what is odd; `writing` is the way back.
"""
