"""Running a start. What it knows is data; what happened goes out as events.

Pure: `plan` (what orders what, worst-case times), `backoff`, `matching`, `report` (events to verdict and exit code),
`work` (an item and its state), `events`, `outcome`, `context`.

Effects: `service` is the main job from end to end; `run` settles every item in one loop; it has its items from
`listing`, their values from `variables` (the contracts from `environment`), the user from `users`, whether an item
applies from `asking`, attempts that wait from `lanes`, steps from `stepping` (their locks from `locks` and `turns`),
imports from `importing`; outcomes become states or fallback actions in `concluding`, and the actions are in `remedies`,
the longest of them in `installing`. `launching` makes the plan of the launch, `measuring` asks for its health, and
`maintaining` serves something else meanwhile; `operating` begins the operations listener beside it all. What ends a
start from within is in `exceptions`.

After the launch: `memory` is what an engine leaves to the next one, `comeback` goes on with it in the supervisor's place,
`rechecking` tries degraded items again, before the launch and beside the server.
"""
