"""Real servers that tests start for themselves: a private PostgreSQL, a pooler in front of it, a private Redis."""

import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time

from ports import free_port

BIN = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)), "")
REDIS = shutil.which("redis-server")
PGBOUNCER = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")


def answers(port):
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class PrivatePostgres:
    """A PostgreSQL in a directory of its own, run by somebody who is not root."""

    HBA = "local all all trust\nhost all all 127.0.0.1/32 trust\n"
    SETTINGS = ""

    def __init__(self, max_connections=20):
        self.folder = tempfile.mkdtemp(prefix="orchestrator-pg-")
        self.port = free_port()
        self.root = os.geteuid() == 0
        if self.root:
            shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8")
        self.write("pg_hba.conf", self.HBA)
        self.write("postgresql.auto.conf", (
            f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{self.folder}'\nfsync=off\n"
            f"max_connections={max_connections}\n{self.SETTINGS}"
        ))  # fmt: skip

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-l", f"{self.folder}/log", "start")
        return self

    @property
    def data(self):
        return f"{self.folder}/data"

    def url(self, user="postgres", database="postgres", port=None):
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def write(self, name, text, mode=0o600):
        path = f"{self.data}/{name}"
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        if self.root:
            shutil.chown(path, "postgres", "postgres")

    def run(self, command, *arguments, **more):
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if self.root else {}
        more.setdefault("stdout", subprocess.DEVNULL)
        return subprocess.run([f"{BIN}/{command}", *arguments], check=True, cwd=self.folder, **user, **more)

    def sql(self, *statements, database="postgres"):
        """What psql prints for the last of them, without ornaments."""
        words = [word for each in statements for word in ("-c", each)]
        done = self.run("psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", "postgres", "-d", database, *words,
                        stdout=subprocess.PIPE, text=True)  # fmt: skip
        return done.stdout.strip()

    def halt(self):
        """Ends it at once; it can be started again."""
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def stop(self):
        self.halt()
        shutil.rmtree(self.folder)


class Pooler:
    """A pgbouncer that gives a connection of the server to each transaction."""

    def __init__(self, server, size, settings="auth_type=any\nmax_client_conn=200\n", users=""):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="orchestrator-pool-")
        path = f"{self.folder}/pgbouncer.ini"
        with open(path, "w") as file:
            file.write(
                f"[databases]\npostgres = host=127.0.0.1 port={server.port} dbname=postgres user=postgres\n"
                f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={self.port}\nunix_socket_dir=\n"
                f"pool_mode=transaction\ndefault_pool_size={size}\n{settings.format(folder=self.folder)}"
            )
        with open(f"{self.folder}/users", "w") as file:
            file.write(users)
        os.chmod(f"{self.folder}/users", 0o644)
        os.chmod(self.folder, 0o755)
        os.chmod(path, 0o644)
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if server.root else {}
        self.process = subprocess.Popen(
            [PGBOUNCER, "-q", path], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **user
        )
        end = time.monotonic() + 10
        while not answers(self.port):
            assert time.monotonic() < end, "pgbouncer does not listen"
            assert self.process.poll() is None, "pgbouncer ended"
            time.sleep(0.02)

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


class PrivateRedis:
    """A Redis that keeps nothing, in the directory that is given."""

    def __init__(self, folder, *options):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [REDIS, "--save", "", "--appendonly", "no", "--dir", str(folder), "--bind", "127.0.0.1",
                         "--port", str(self.port), *options]  # fmt: skip
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not answers(self.port):
            assert time.monotonic() < end, "redis-server does not listen"
            assert self.process.poll() is None, "redis-server ended"
            time.sleep(0.02)
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
