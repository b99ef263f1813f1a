"""What tests take from npm: installed into `.cache`, once, by whoever comes first."""

import fcntl
import shutil
import subprocess
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"


def install(folder, needed, what):
    """Installs what the lock file in `folder` names, unless `needed` (a path below node_modules) is there.

    Gives where it is, and why it cannot be, if so.
    """
    place = CACHE / folder.name
    for each in ("node", "npm"):
        if shutil.which(each) is None:
            return place, f"{each} is not installed"
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not (place / "node_modules" / needed).exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(folder / name, place / name)
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            made = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100)
            if made.returncode:
                return place, f"{what} cannot be installed: {' '.join(made.stderr.split())[:200]}"
    return place, ""
