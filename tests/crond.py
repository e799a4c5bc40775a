"""A cron daemon of our own: Debian's, with a faked clock and a crontab of its own, apart from the machine's.

It runs in name spaces of its own (mounts, processes), in which the folders that cron reads are ours: neither the jobs
of the machine run there, nor ours on the machine, and with the daemon every job of it ends. What cron mails is kept by
a `sendmail` that stands where the machine's would.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email
import email.policy
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIBRARY = Path("/usr/lib")
BEFORE = 4.0
"""Seconds by the faked clock from the start of the daemon to the minute in which jobs are due."""

_SENDMAIL = """\
#!/bin/sh
made=$(mktemp {folder}/.XXXXXX) && cat > "$made" && mv "$made" "{folder}/${{made##*/.}}"
"""
_DAEMON = """\
set -e
mount --bind "$1/sbin" /usr/sbin
mount --bind "$1/crontabs" /var/spool/cron/crontabs
mount --bind "$1/empty" /etc/cron.d
mount --bind "$1/nothing" /etc/crontab
mount --bind "$1/run" /run
env TZ=UTC LD_PRELOAD="$2" FAKETIME="$3" NO_FAKE_STAT=1 FAKETIME_DONT_FAKE_MONOTONIC=1 /usr/sbin/cron -f &
read -r end || true
"""
"""The first process of its name space: all others end when it does, which is when what it reads is closed."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What cron mailed of one job: whose it was and its command, and what that printed."""

    subject: str
    text: str


def missing() -> str:
    """Return what a cron daemon of our own lacks on this machine; empty where nothing does."""
    if shutil.which("cron", path="/usr/sbin") is None:
        return "no cron on this machine: install the package cron"
    if _faketime() is None:
        return "no libfaketime on this machine: install the package faketime"
    return ""


def forbidden() -> str:
    """Return what the machine does not allow a daemon of our own, which no package brings; empty where nothing is."""
    tried = subprocess.run([*_as_root(), *_apart(), "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        return "no name spaces for mounts and processes: run as root, or as one who may sudo"
    return ""


@dataclass(frozen=True, kw_only=True)
class Crond:
    """Where the daemon's folders lie."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, crontab: str) -> Crond:
        """Make the folders, with the crontab of the user who runs this."""
        for name in ("sbin", "crontabs", "empty", "run", "mail"):
            (folder / name).mkdir(parents=True)
        (folder / "nothing").touch()
        for name in ("cron", "unix_chkpwd"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy2(f"/usr/sbin/{name}", folder / "sbin" / name)
        sendmail = folder / "sbin" / "sendmail"
        sendmail.write_text(_SENDMAIL.format(folder=folder / "mail"), encoding="utf-8")
        sendmail.chmod(0o755)
        own = folder / "crontabs" / pwd.getpwuid(os.getuid()).pw_name
        own.write_text(crontab, encoding="utf-8")
        own.chmod(0o600)
        return cls(folder=folder)

    def mail_of(self, due: dt.datetime, *, seconds: float = 600) -> Mail:
        """Run the daemon over a minute in which one job is due; return what cron mails of it.

        due : the minute, in UTC, by the faked clock. seconds : how long the job may take.
        """
        ahead = (due - dt.datetime.now(dt.UTC)).total_seconds() - BEFORE
        with self._running(ahead) as process:
            deadline = time.monotonic() + seconds
            while not (mails := self._mails()):
                assert process.poll() is None, "the daemon ended"
                assert time.monotonic() < deadline, f"no mail after {seconds:g} s"
                time.sleep(0.1)
        assert len(mails) == 1
        mail = email.message_from_bytes(mails[0].read_bytes(), policy=email.policy.default)
        mails[0].unlink()
        return Mail(subject=mail["Subject"], text=mail.get_content())

    def _mails(self) -> list[Path]:
        return [path for path in (self.folder / "mail").iterdir() if not path.name.startswith(".")]

    @contextmanager
    def _running(self, ahead: float) -> Iterator[subprocess.Popen[bytes]]:
        command = [*_as_root(), *_apart(), "sh", "-c", _DAEMON, "crond"]
        command += [str(self.folder), str(_faketime()), f"{ahead:+f}"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        try:
            yield process
        finally:
            process.communicate(timeout=20)


def _faketime() -> Path | None:
    return next(iter(sorted(LIBRARY.glob("*/faketime/libfaketime.so.1"))), None)


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def _apart() -> list[str]:
    """Return the command that runs another in name spaces of its own, all of which ends with it."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
