"""Running a start. What it knows is data; what happened goes out as events.

Pure: `plan` (worst-case times), `lowering` (the spec to the plan that the core decides on), `report` (events to a
report), `item` (an item of the core, and its place in the spec), `events`.

Effects: `service` is the main job from end to end; `run` settles every item in one loop; it has its items from
`build_items`, their values from `values` (the contracts from `contracts`), the user from `identity`, whether an item
applies from `gate`, attempts that wait from `attempts`, steps from `steps` (their locks from `locks` and `step_lock`),
imports from `imports`. What an outcome comes to, a status or the next fallback action, the core decides
(`core.settle`); `verdict` performs what it commands, and `remedies` applies remedies. `launch_plan` makes the plan of
the launch, `health_checks` asks for its health, and `maintenance` serves something else meanwhile; `operations`
begins the operations listener beside it all. What ends a start from within is in `exceptions`.

After the launch: `snapshot` is what an engine leaves to the next one, `resume` goes on with it in the supervisor's
place, `recovery` tries degraded items again, before the launch and beside the server.
"""
