"""The rehearsal of fallbacks: what a start comes to when one thing fails.

Pure: `rows` (one failure and its outcome), `failures` (what can go wrong with each kind), `driver` (drives
`core.transition` without a process, one item failing), `simulate` (its runs to rows), `expected` (what the spec
expects), `formats` (rows to text, JSON, JUnit).

Effects, for `--prove`: `prove` starts each row in a process of its own, `stage`, which goes into a private
`sandbox`, breaks one thing by a file of `breaking/`, runs the engine as any user would, and `observe`s what it comes to.
"""
