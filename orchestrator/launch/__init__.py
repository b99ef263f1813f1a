"""Launch: the importing process, its servers, and the small supervisor that stays; knows nothing of specs.

The app: `app_handle` is the engine's handle on `app_process`, which `spawn` starts, or `preimport` has begun early. It imports
and judges (`app_check`), and on "go" it is the server: in this process, as several `workers` where
`fork_safety` allows it, or as a program of `servers`; `exec_mode` is `mode: exec`. Its address is held by `sockets` and
`listener`.

The supervisor: `supervisor` does what `core.transition` decides. It looks by
`probing`, starts an engine `beside` it or in its place (`again`), and ends with a `farewell`.

Between them: `plan` is what is launched, as data; `signals`, `reaper`, `leaving`, `prctl`, `oom` and `streams` know the
kernel; `dumps`, `dumping` and `interpreted` bring stacks; `saying` and `endings` have the words.
"""
