"""The process that stays: the engine's pid, little memory, one loop. It does what `core.transition` decides.

`become` is called by the engine and execs this file, which knows the plan alone: no spec, no requirements.
"""

from __future__ import annotations

import os
import select
import sys
import time

if __name__ == "__main__":
    # The interpreter runs without site-packages. Last, so that nothing of Python's is shadowed.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import _socket

from orchestrator.core import features, stopping
from orchestrator.core.exit_status import ending
from orchestrator.core.state import KILLING, SWEEPING
from orchestrator.core.transition import deadline, launched, transition
from orchestrator.launch import reexec, spawn
from orchestrator.launch.stack_requests import Dumping
from orchestrator.supervisor.child_engine import ALONE, BACK, SCOUT, Beside
from orchestrator.supervisor.exit_report import Farewell
from orchestrator.supervisor.probe import Heard, Prober
from orchestrator.system import files, log_output, oom, signals
from orchestrator.system.listener import open_to_all, refuse
from orchestrator.system.reaper import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any, NoReturn

    from orchestrator.launch.plan import LaunchPlan
    from orchestrator.status.maintenance import Config

BUG = 1
AGAIN = 0.05
"""While processes are killed, how often to look for ones that were born in the meantime."""
DECIDED_ON = (
    "restart", "on_failure", "health", "drain", "grace", "stop_signal", "server", "command", "workers",
)  # fmt: skip
"""What of the plan the core is told."""
INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")


def become(
    plan: LaunchPlan,
    *,
    listener: socket.socket | None,
    server_pid: int,
    notes: signals.Notes,
    maintenance: Config | None = None,
    status: str = "ready",
    returning: dict[str, Any] | None = None,
    operations: tuple[int, int] = (0, -1),
) -> NoReturn:
    """Replaces the engine by the supervisor: same pid, same children, little else. Or raises OSError.

    `maintenance` is what is said when a fallback serves it; `notes` may hold signals that nobody has read;
    `returning` is what the engine has to know when it is started again: without it, it never is; `operations` is the
    operations listener and the descriptor that it lives by.
    """
    from orchestrator.system import prctl

    prctl.adopt_orphans()
    sys.stdout.flush()
    sys.stderr.flush()
    # Else PID 1 loses a signal that falls into the exec: what is blocked arrives after it.
    mask = signals.block()
    try:
        descriptor = listener.fileno() if listener is not None else -1
        if listener is not None:
            listener.set_inheritable(True)
        given = {
            "plan": plan.data(),
            "listener": descriptor,
            "server": server_pid,
            "status": status,
            "path": sys.path,
            "memory": -1,
            "supervised": {},
            "operations": list(operations),
        }
        if operations[1] >= 0:
            os.set_inheritable(operations[1], True)
        if returning is not None:
            given["memory"] = spawn.package(returning)
            given["supervised"] = returning["supervised"] | {"engine": True}
        noted = dict(zip(("noted", "wakeup"), notes.hand_over(), strict=True))
        memory = spawn.package(given | noted | _maintenance(descriptor, maintenance))
        environ = {name: os.environ[name] for name in INHERITED if name in os.environ}
        here = os.path.abspath(__file__)
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-E", here, str(memory)], environ)
    finally:
        signals.release(mask)


def _maintenance(listener: int, config: Config | None) -> dict[str, Any]:
    """How to serve maintenance, and the pipe whose end of file ends it: the supervisor was killed."""
    if config is None or listener < 0:
        return {"maintenance": [], "lifeline": []}
    from orchestrator.status.maintenance import command

    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_inheritable(descriptor, True)
    return {"maintenance": command(listener, config, reader), "lifeline": [reader, writer]}


class Supervisor:
    """The loop, and the effects of its decisions."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.plan = given["plan"]
        self.listener: int = given["listener"]
        self.server: int = given["server"]
        self.maintenance_argv: list[str] = given["maintenance"]
        self.lifeline: list[int] = given["lifeline"]
        self.maintenance = 0
        self.pipes: list[int] = []
        self.reports = -1
        self.heard = b""
        self.complaint = b""
        """What a restarted server has told of its start, if that failed."""
        self.path: list[str] = given["path"]
        """Where the engine found its modules: a probe may need them."""
        self.prober: Prober | None = None
        self.memory: int = given["memory"]
        """Behind it is what the engine has to know when it is started again; looked at by that alone."""
        self.operations: list[int] = given["operations"]
        """The operations listener, which outlives the server, and the descriptor that it lives by."""
        self.kills = oom.Kills()
        self.beside: Beside | None = None
        self.dumping: Dumping | None = None
        self.settled: dict[str, dict[str, Any]] = {}
        """Items whose state has changed since the engine left, as the engines beside the server told it."""
        self.changes: dict[str, str | None] = {}
        """Variables that those have set."""
        self.lost = False
        """Whether the state directory could not be written the last time."""
        self.last_words = ""
        self.known: dict[str, dict[str, str]] = given["supervised"].get("known", {})
        """What is to be said of items, if the service ends for one of them."""
        self.noted: list[int] = given["noted"]
        self.wakeup: int = given["wakeup"]
        self.notes = signals.Notes()
        plan = {name: self.plan[name] for name in DECIDED_ON} | given["supervised"]
        self.state = launched(plan, time.monotonic(), given["status"])

    def run(self) -> NoReturn:
        for descriptor in (self.listener, self.memory, self.operations[1], *self.lifeline):
            if descriptor >= 0:
                os.set_inheritable(descriptor, False)
        # Raises for a server that is no child of ours, or was collected: its end would never be heard of.
        os.waitid(os.P_PID, self.server, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        self.notes.install()
        # What the engine held back arrives now, and so does the end of a child that ended before.
        signals.release()
        for number in signals.arrived(self.noted, self.wakeup):
            self._on("signal", number)
        self._collect()
        while True:
            self._check_empty()
            self._wait()
            for number in self.notes.take():
                if number != signals.CHILD:
                    self._on("signal", number)
            self._hear()
            self._collect()
            for child in self._children():
                child.hear()
                child.stop_if_late(time.monotonic())
            self._go_on_dumping()
            self._on("tick")

    def _children(self) -> list[Heard]:
        """Those that run beside the server and are heard."""
        return [each for each in (self.prober, self.beside) if each is not None]

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self.notes.fileno(), select.POLLIN)
        if self.reports >= 0:
            poll.register(self.reports, select.POLLIN)
        children = self._children()
        for child in children:
            if child.reader >= 0:
                poll.register(child.reader, select.POLLIN)
        dues = [deadline(self.state), *[child.due for child in children]]
        if self.dumping:
            dues.append(self.dumping.due)
        if self.state.server.phase == KILLING:
            dues.append(time.monotonic() + AGAIN)
        known = [each for each in dues if each is not None]
        # Rounded up: a millisecond early would be a turn in vain.
        poll.poll(max(0, int((min(known) - time.monotonic()) * 1000) + 1) if known else None)

    def _masked(self, told: str) -> str:
        """What was told by something that may know what nobody is to read."""
        return log_output.masked(told, self.plan["secrets"])

    def _on(self, *event: Any) -> None:
        for what, *details in transition(self.state, event, time.monotonic()):
            getattr(self, "_do_" + what)(*details)

    # What is heard

    def _collect(self) -> None:
        """Every child that ended. There is one thread, and it starts the children: none is mistaken."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = status = 0
            if not pid:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        if pid == self.server:
            self.server = 0
            self.dumping = None
            self._hear()
            self._close_pipes()
            self._on("exited", code, self.kills.why(code) or _why_not(self.complaint))
        elif pid == self.maintenance:
            self.maintenance = 0
            self._on("maintenance_ended", code)
        elif self.prober and pid == self.prober.pid:
            self._probed(code)
        elif self.beside and pid == self.beside.pid:
            self._answered(code)
        elif pid == self.operations[0]:
            self.operations[0] = 0
            self._do_say("warning", f"the operations listener {ending(code)}")

    def _hear(self) -> None:
        """A restarted server reports that it serves; the pipe's end shows that another program was started."""
        if self.reports < 0:
            return
        try:
            while chunk := os.read(self.reports, 65536):
                self.heard += chunk
        except BlockingIOError:
            chunk = b"more may come"
        complaints = [line for line in self.heard.split(b"\n")[:-1] if line.startswith(b'{"event": "failed"')]
        self.complaint = complaints[-1] if complaints else self.complaint
        executed = not chunk and b'"event": "executing"' in self.heard and b'"failed"' not in self.heard
        if executed or b'"event": "serving"' in self.heard:
            self._close_pipes()
            self.complaint = b""
            self._on("serving")
        elif not chunk:
            self._close_pipes()

    def _close_pipes(self) -> None:
        for descriptor in self.pipes:
            os.close(descriptor)
        self.pipes, self.reports, self.heard = [], -1, b""

    def _check_empty(self) -> None:
        if self.state.server.phase not in (SWEEPING, KILLING):
            return
        beyond = self._do_sweep(stopping.KILL) if self.state.server.phase == KILLING else ()
        left = {self.server, *descendants((self.operations[0],))} - {0, *beyond}
        if not left:
            self._on("empty")

    # What is done

    def _do_say(self, level: str, text: str, facts: dict[str, Any] | None = None) -> None:
        self._tell("supervision", level, text, facts)

    def _tell(self, event: str, level: str, text: str, facts: dict[str, Any] | None) -> None:
        line = log_output.record(event, level, text, facts)
        said = log_output.folded("orchestrator: ", text, log_output.columns(2))
        log_output.write(2, line if self.plan["log"] == "json" else "\n".join(said))
        if level == "error":
            self.last_words = text
        self._keep(line)

    def _keep(self, line: str) -> None:
        if self.plan["state_dir"]:
            try:
                files.append_line(self.plan["state_dir"] + "/events.jsonl", line)
            except OSError as error:
                self._lost_state(error)

    def _do_verdict(self, name: str, ok: bool, why: str, seconds: float) -> None:
        if self.plan["state_dir"]:
            try:
                files.set_verdict(
                    self.plan["state_dir"], name, ok=ok, expires=time.time() + seconds, text=why
                )
            except OSError as error:
                self._lost_state(error)

    def _do_status(self, status: str, reason: str) -> None:
        if self.plan["state_dir"]:
            try:
                degraded = features.names(self.state.features)
                files.set_status(self.plan["state_dir"], status, reason, degraded)
                self.lost = self.lost and not files.exists(self.plan["state_dir"] + "/probe")
            except OSError as error:
                self._lost_state(error)

    def _lost_state(self, error: OSError) -> None:
        """A full or vanished disk does not end a service. Said once; it may be writable again for the next change."""
        if not self.lost:
            self.lost = True
            self._do_say("error", f"cannot write the state directory: {error}")

    def _do_close(self) -> None:
        if self.listener >= 0:
            os.close(self.listener)
            self.listener = -1

    def _do_refuse(self) -> None:
        """Nobody is behind the listener: what knocks is refused, not queued. Its address stays ours."""
        if self.listener < 0:
            return
        if self.plan["unix"]:
            self._bind_again(self.plan["unix"])
            return
        listener = _socket.socket(fileno=self.listener)
        try:
            refuse(listener)
        finally:
            listener.detach()

    def _bind_again(self, path: str) -> None:
        """A unix socket that was shut down stays so; a new one under its path refuses until it listens."""
        _unlink(path)
        fresh = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            fresh.bind(path)
            open_to_all(path)
            os.dup2(fresh.fileno(), self.listener, inheritable=False)
        except OSError as error:
            self._do_say("error", f"cannot bind {path} again: {error}")
        finally:
            fresh.close()

    def _do_send(self, number: int) -> None:
        # Not collected, so the number is still its own.
        if self.server and not signals.send(self.server, number):
            self._do_say(
                "warning", f"the server (pid {self.server}) takes no signal: it has become another user"
            )

    def _do_dump(self, number: int) -> None:
        self._end_dumping()  # asked again: the rest of the round before is asked by this one
        self.dumping = Dumping(self.server, number)
        self._go_on_dumping()

    def _go_on_dumping(self) -> None:
        if self.dumping and self.dumping.go_on():
            self._end_dumping()
            self._on("dumped")

    def _end_dumping(self) -> None:
        """The signal that asked for the stacks goes on to the server, once they are out."""
        dumping, self.dumping = self.dumping, None
        if dumping and dumping.then:
            self._do_send(dumping.then)

    def _do_sweep(self, number: int) -> list[int]:
        if self.beside:
            self.beside.dropped = True
        return sweep(number, self.operations[0])

    def _do_spawn(self) -> None:
        self.complaint = b""
        self.plan["environ"]["ORCHESTRATOR_DEGRADED"] = ",".join(features.names(self.state.features))
        for endpoint in self._endpoints():
            endpoint["since"] = time.time()
        listener = -1 if self.plan["command"] else self.listener
        self.server, control, self.reports = spawn.start(self.plan, listener, at_once=True)
        os.set_blocking(self.reports, False)
        self.pipes = [control, self.reports]

    def _endpoints(self) -> list[dict[str, Any]]:
        health = self.plan["health"]
        named = [health.get("live"), health.get("ready"), *health.get("more", {}).values()]
        return [each for each in named if each]

    def _do_maintain(self) -> None:
        if self.maintenance_argv and self.listener >= 0:
            self.maintenance = spawn.run(self.maintenance_argv, (self.listener, self.lifeline[0]), self.plan)
        else:
            self._on("maintenance_ended", BUG)

    def _do_probe(self, kind: str) -> None:
        health = self.plan["health"]
        endpoint = health[kind] if kind in {"live", "ready"} else health["more"][kind]
        self.prober = Prober(kind, endpoint, self.plan, self.path)

    def _probed(self, code: int) -> None:
        assert self.prober is not None
        prober, self.prober = self.prober, None
        ok, why = prober.finding(code)
        self._on("probed", prober.kind, ok, self._masked(why))

    # The engine once more

    def _do_recheck(self, item: str, tried: int, last: bool, limit: float | None) -> None:
        orders = {"kind": ALONE, "item": item, "tried": tried, "last": last, **self._live()}
        self.beside = Beside(self.memory, orders, limit)

    def _do_scout(self) -> None:
        self.beside = Beside(self.memory, {"kind": SCOUT})

    def _live(self) -> dict[str, Any]:
        """What has changed since the engine left."""
        return {
            "settled": self.settled,
            "changes": self.changes,
            "features": self.state.features.entries,
        }

    def _answered(self, code: int) -> None:
        assert self.beside is not None
        beside, self.beside = self.beside, None
        answer = beside.answer(code)
        answer["summary"] = self._masked(answer.get("summary", ""))
        if beside.dropped:
            return
        if not beside.item:
            well = answer["word"] == "well"
            self._on("scouted", well, "" if well else answer["summary"])
            return
        if "state" in answer:
            self.settled[beside.item] = answer["state"]
            self.changes = answer["changes"]
        self._on("rechecked", beside.item, answer)
        self._keep_features(answer)

    def _keep_features(self, answer: dict[str, Any]) -> None:
        if self.plan["state_dir"] and "features" in answer:
            try:
                files.set_value(self.plan["state_dir"], "features", answer["features"])
            except OSError as error:
                self._lost_state(error)

    def _do_feature(self, name: str, on: bool, item: str, seconds: float) -> None:
        """Whether a feature is on, for whoever reads the log."""
        text = f"{name} is on again after {seconds:.1f} s" if on else f"{name} is off"
        facts = {"item": item, "feature": name, "on": on, "seconds": round(seconds, 1)}
        self._tell("feature", "info" if on else "warning", text, facts)

    def _do_environ(self, environ: dict[str, str]) -> None:
        self.plan["environ"] = environ or self.plan["environ"]

    def _do_come_back(self, failed: dict[str, Any]) -> None:
        """The engine takes this process again, as it was started first: same pid, children, listener and signals."""
        mask = signals.block()
        try:
            reexec.execute(self.memory, self._orders(failed))
        except OSError as error:
            signals.release(mask)
            self._on("scouted", False, f"cannot start it: {error}")

    def _orders(self, failed: dict[str, Any]) -> dict[str, Any]:
        for descriptor in (self.listener, self.operations[1], *self.lifeline):
            if descriptor >= 0:
                os.set_inheritable(descriptor, True)
        noted = dict(zip(("noted", "wakeup"), self.notes.hand_over(), strict=True))
        own = {
            "kind": BACK,
            "listener": self.listener,
            "lifeline": self.lifeline,
            "maintenance": self.maintenance,
            "operations": self.operations,
        }
        return own | noted | {"failed": failed, "restarts": self.state.restarts.dump()} | self._live()

    def _do_exit(self, code: int) -> NoReturn:
        if self.plan["unix"]:
            _unlink(self.plan["unix"])
        if self.plan["state_dir"]:
            try:
                files.end_report(self.plan["state_dir"], self.state.status, code)
            except OSError as error:
                self._lost_state(error)
        if code and not self.state.stop.number:
            self._say_farewell(code)
        elif code:
            files.write_last_words(self.last_words)
        os._exit(code)

    def _say_farewell(self, code: int) -> None:
        """What failed, what was tried, what to do: for people, for the log of JSON lines, for the platform."""
        state = self.state
        farewell = Farewell(
            self.plan["service"],
            code,
            state.failed,
            state.about,
            state.restarts.tried,
            self.known,
            features.names(state.features),
        )
        line = log_output.record("last_words", "error", farewell.words, farewell.facts())
        log_output.write(2, line if self.plan["log"] == "json" else farewell.text(log_output.columns(2)))
        self._keep(line)
        files.write_last_words(farewell.words)


def _why_not(complaint: bytes) -> str:
    """Why a server did not start, as it has told."""
    if not complaint:
        return ""
    import json  # here, because most servers start

    told = json.loads(complaint)
    kind = f"{told['type']}: " if told.get("type") else ""
    message = " ".join(told.get("message", "").split())
    return f": {kind}{message}" if message and not message.startswith("the server ended") else ""


def sweep(number: int, spared: int = 0) -> list[int]:
    """A signal to everything below this process, but for one; those that take none, which nobody waits for."""
    return [pid for pid in descendants((spared,)) if not signals.send(pid, number)]


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # gone already, or not ours to remove


def main(memory: int) -> NoReturn:
    try:
        Supervisor(spawn.unpack(memory)).run()
    except BaseException as error:
        import traceback

        traceback.print_exc()
        log_output.write(2, f"orchestrator: internal error: {error!r}; please report it")
        sweep(stopping.KILL)
        os._exit(BUG)


if __name__ == "__main__":
    main(int(sys.argv[1]))
