"""A PostgreSQL of our own: made in a temporary folder, reached by a Unix socket and on loopback, gone in the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as driver
import pyarrow as pa

PASSWORD = "Kaffee-um-7-Uhr"
"""Of every user of the server; nothing a report writes may hold it."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server; its administrator is `forecast`, its databases are made by `database`."""

    folder: Path
    port: int
    command: tuple[str, ...] = ()
    who: dict[str, Any] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        """Start it in its folder."""
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.who
            )
        self.processes.append(process)
        return process

    def restart(self) -> None:
        """End it without waiting for its clients, and start it again."""
        self.processes[-1].send_signal(signal.SIGINT)
        self.processes[-1].wait(timeout=60)
        _wait(self, self.start())

    def address(self, database: str, *, user: str = "forecast", socket: bool = False, schema: str = "") -> str:
        """Return the address of a database, without a password."""
        asked = f"?schema={schema}" if schema else ""
        if socket:
            joined = f"{asked}&" if asked else "?"
            return f"postgresql:///{database}{joined}host={self.folder}&port={self.port}&user={user}"
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}{asked}"

    @contextmanager
    def connected(self, database: str = "postgres") -> Iterator[Any]:
        """Give a cursor of the administrator; every command is kept at once."""
        address = self.address(database).replace("@", f":{PASSWORD}@")
        with driver.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
            yield cursor

    def run(self, database: str, *commands: str) -> None:
        """Run commands one by one."""
        with self.connected(database) as cursor:
            for command in commands:
                cursor.execute(command)

    def load(self, database: str, tables: dict[str, pa.Table], *, schema: str = "public") -> None:
        """Make tables of these names and columns, in the order of their rows."""
        with self.connected(database) as cursor:
            for name, table in tables.items():
                cursor.adbc_ingest(name, table, mode="create", db_schema_name=schema)


def programs() -> Path | None:
    """Return the folder of the server's programs, by PATH or where Debian has them; None where there is none."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    return next((place for place in places if (place / "postgres").is_file()), None)


@contextmanager
def running() -> Iterator[Server]:
    """Start a server and stop it; as a user without rights where this one is root, whom it refuses."""
    bin_ = programs()
    assert bin_ is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # the path of a socket is short
    who = {}
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        secret.chmod(0o644)
        made = [bin_ / "initdb", "-D", folder / "data", "-U", "forecast", "-A", "scram-sha-256", "--pwfile", secret]
        made += ["--no-sync", "-E", "UTF8", "--locale", "C.UTF-8"]
        quiet = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "check": False}
        done = subprocess.run(made, cwd=folder, **quiet, **who)
        assert done.returncode == 0, done.stderr
        secret.unlink()
        with _started(bin_, folder, who) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(bin_: Path, folder: Path, who: dict[str, Any]) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": 20,
        "shared_buffers": "64MB",
    }
    command = [str(bin_ / "postgres"), "-D", str(folder / "data")]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = Server(folder=folder, port=port, command=tuple(command), who=who)
    try:
        _wait(server, server.start())
        yield server
    finally:
        for process in server.processes:
            process.send_signal(signal.SIGQUIT)  # at once: what it holds is thrown away
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(driver.Error), server.connected():
            return
        told = (server.folder / "log").read_text(encoding="utf-8")
        assert process.poll() is None, told
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
