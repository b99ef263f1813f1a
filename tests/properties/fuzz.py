"""A mutation fuzzer for the reading of specs, run by hand: `python tests/properties/fuzz.py --minutes 30`.

Starts from the repository's own specs and the broken ones of tests/cases, changes bytes, lines and words, and watches
for exceptions, for time per input and for memory. What it finds is written to tests/cases/fuzz, where a test replays it.
"""

import argparse
import contextlib
import hashlib
import os
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

from orchestrator.diagnostics.formats import Options, text
from orchestrator.document.dump import to_yaml
from orchestrator.spec.loading import load_files, provenance
from orchestrator.spec.values import RunValues

ROOT = Path(__file__).parent.parent.parent
FOUND = ROOT / "tests" / "cases" / "fuzz"
SECONDS = 3.0  # for reading, twice, and writing what aliases unfold to: 100,000 values at most
MEGABYTES = 500
WORDS = [
    b"&a ", b"*a", b"<<: *a", b"!remove ", b"!replace ", b"${", b"${A:-", b"}", b"$$", b"yes", b"0750", b"1:30", b".nan", b"- ", b": ",
    b"[", b"]", b"{", b"}", b"'", b'"', b"|", b">", b"\t", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"---\n", b"...", b"null", b"~",
    b"9" * 50, b"x-a", b"version", b"service", b"when", b"needs", b"on_failure", b"roles", b"extends", b"expect", b"1e400", b"0x", b"0o7",
    b"# orchestrator: ignore[ORC013] why", b"\xe2\x80\xa8", b"\xf0\x9f\x90\x8d", b"2026-05-01", b"default", b"secret: true", b"-1", b"\\",
]  # fmt: skip


def corpus() -> list[bytes]:
    files = [
        *ROOT.glob("startup*.yaml"),
        *ROOT.glob("examples/*/startup*.yaml"),
        *(ROOT / "tests/cases/specs").rglob("*.yaml"),
    ]
    return [each.read_bytes() for each in sorted(files)] + [
        each.read_bytes() for each in sorted(FOUND.glob("*.yaml"))
    ]


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        rng.choice(CHANGES)(rng, data, seeds)
    return bytes(data[:200_000])


def _word(rng, data, _seeds):
    at = rng.randint(0, len(data))
    data[at:at] = rng.choice(WORDS)


def _cut(rng, data, _seeds):
    at = rng.randint(0, len(data))
    del data[at : at + rng.randint(1, 12)]


def _byte(rng, data, _seeds):
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _lines(rng, data, _seeds):
    lines = bytes(data).split(b"\n")
    rng.shuffle(lines)
    data[:] = b"\n".join(lines[: rng.randint(1, len(lines))])


def _graft(rng, data, seeds):
    other = rng.choice(seeds).split(b"\n")
    start = rng.randrange(len(other))
    lines = bytes(data).split(b"\n")
    at = rng.randint(0, len(lines))
    indent = b" " * rng.choice((0, 0, 2, 4))
    lines[at:at] = [indent + each for each in other[start : start + rng.randint(1, 6)]]
    data[:] = b"\n".join(lines)


def _swap_value(rng, data, seeds):
    lines = bytes(data).split(b"\n")
    at = rng.randrange(len(lines))
    key, colon, _ = lines[at].partition(b":")
    value = rng.choice(rng.choice(seeds).split(b"\n")).partition(b":")[2] or rng.choice(WORDS)
    lines[at] = key + (colon or b":") + b" " + value.strip()
    data[:] = b"\n".join(lines)


def _many(rng, data, _seeds):
    lines = bytes(data).split(b"\n")
    at = rng.randrange(len(lines))
    lines[at:at] = [lines[at]] * rng.choice((3, 50, 2000))
    data[:] = b"\n".join(lines)


def _deep(rng, data, _seeds):
    at = rng.randint(0, len(data))
    opening = rng.choice((b"[", b"{a: ", b"- ", b"${A:-", b"!x ", b"{all: ["))
    data[at:at] = opening * rng.choice((10, 99, 101, 3000))


CHANGES = [_word, _word, _cut, _byte, _lines, _graft, _graft, _swap_value, _swap_value, _many, _deep]


def attempt(file: Path, overlay: Path) -> None:
    """What every command does with a spec; an exception is a bug."""
    for files in ([str(file)], [str(overlay), str(file)]):
        loaded = load_files(files)
        text.render(loaded.diagnostics, loaded.sources, Options(width=100))
        if loaded.tree is not None:
            to_yaml(loaded.tree, provenance=True)
            provenance(loaded)
        if loaded.spec is not None:
            for role in ["", *(loaded.spec.roles or ())]:
                chosen = loaded.for_role(role)
                contracts = chosen.spec.variables if chosen.spec is not None else {}
                chosen.resolve(RunValues(contracts, {"PORT": "8000", "A": "no", "LOG_LEVEL": "x"}))


class TooSlow(Exception):
    pass


def _alarm(_signal, _frame):
    raise TooSlow


def run(minutes: float, seed: int) -> int:
    rng, seeds, bad = random.Random(seed), corpus(), 0
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"fuzz-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    file, overlay = folder / "startup.yaml", folder / "base.yaml"
    overlay.write_bytes((ROOT / "startup.yaml").read_bytes())
    signal.signal(signal.SIGALRM, _alarm)
    end, count, slowest, reasons = time.monotonic() + minutes * 60, 0, 0.0, set()
    while time.monotonic() < end:
        data = mutated(rng, seeds)
        file.write_bytes(data)
        began = time.process_time()
        why = ""
        signal.alarm(30)
        try:
            attempt(file, overlay)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            why = f"{type(error).__name__} {frame.filename}:{frame.lineno}"
            detail = traceback.format_exc()
        signal.alarm(0)
        took = time.process_time() - began
        slowest = max(slowest, took)
        if not why and took > SECONDS * (1 + len(data) / 50_000):
            why, detail = f"slow {int(took)}", f"{took:.1f} s for {len(data)} bytes"
        if why and why not in reasons:
            reasons.add(why)
            bad += 1
            name = hashlib.sha256(data).hexdigest()[:12]
            (FOUND / f"{name}.yaml").write_bytes(data)
            print(f"{name}: {why}\n{detail}", flush=True)
        count += 1
        if count % 500 == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"{count} inputs, slowest {slowest:.2f} s, peak {peak} MB, {bad} found", flush=True)
            if peak > MEGABYTES:
                print("too much memory", flush=True)
                return 1
    with contextlib.suppress(OSError):
        file.unlink(), overlay.unlink(), folder.rmdir()
    print(f"done: {count} inputs, slowest {slowest:.2f} s, {bad} found", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.exit(run(options.minutes, options.seed))
