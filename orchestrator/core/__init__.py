"""What is decided, apart from how it is done: plain data and functions, without a clock, input or output.

`transition(state, event, now)` changes the state and returns commands. A driver performs them, and reports what came of
them as events: the supervisor after ready, the rehearsal without a process, tests with a list of events. A handler takes
one event (`dispatch`, `imports`, `start`, `hold` before ready; `server`, `watch`, `recheck`, `restarts` after it;
`stopping`, `outage` always), and `start.advance` then issues whatever is due by the state alone. Everything that an item
comes to is in `settle`. A state is builtins: `dump` and `load` take it apart and put it together anywhere.

Events                                          Commands
  started · resumed                               attempt, ask, remedy (id, lane, ...)  answered by the event
  tick · signal (number)                          give_up (id, lane)                    nobody waits for it any more
  attempted (id, lane, outcome[, values])         import (round, ids) · discard         the importing process
  answered (id, lane, leaf, holds, why)           spawn                                 the server, of what was imported
  remedied (id, lane, ok, summary[, values])      maintain · unmaintain                 something else on its address
  imported (round, id, outcome)                   supervise                             ready: the supervisor takes over
  not_imported (round, id, outcome, needed)       probe (name) · recheck (id, ...)      of the running service
  import_ready · import_ended (round)             send · sweep · dump (signal)          to the server, to all that is left
  serving · exited (code, why) · empty            close · refuse                        the listener
  probed (name, ok, why) · dumped                 scout · come_back                     the engine once more
  rechecked (id, answer) · scouted (ok, why)      exit (code)
  maintenance_ended (code)                        item, waiting, fallback, no_help, feature, status, verdict, environ, say

Times are seconds of one monotonic clock. An answer from a lane that is not the item's own any more is nobody's. After a
request to stop nothing begins, whatever is still reported.
"""
