"""Where a search's trials live: a journal file, PostgreSQL, a gRPC proxy; opened by one string, asked with patience."""

from __future__ import annotations

import fcntl
import re
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from codesign.errors import ConfigError, StorageError, ToolNotFound

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["FORMS", "Store", "check_begun", "check_name", "check_shared", "shown_name"]

FORMS = "journal:PATH (or a path that ends in .log or .journal), postgresql://USER@HOST/DATABASE, grpc://HOST:PORT"
"""What a storage that several processes share may be called, for messages."""

Value = TypeVar("Value")

_POSTGRES_OPTIONS = {"connect_timeout": 10, "tcp_user_timeout": 30_000}
"""So that a server that says nothing (a cable that was pulled) is an error: seconds, milliseconds."""

_GRPC = re.compile(r"grpc://(\[[^\]]+\]|[^:/\[\]]+):(\d+)/?\Z")
_POSTGRES = re.compile(r"postgres(?:ql)?(?:\+[a-z0-9]+)?://")
_PASSWORD = re.compile(r"(?<=://)([^:/@]*):([^@/]*)@")


class Store:
    """An open storage. Every question is asked again for `patience_s` seconds before it is a StorageError."""

    def __init__(self, name: str, *, create: bool = True, patience_s: float = 30.0):
        """name: see `FORMS`; `sqlite:///PATH` too, which is for one process alone and locked for it.

        create: begin a journal that is absent. A name that means nothing is a ConfigError, a storage that cannot be
        reached within the patience a StorageError.
        """
        self.name = name
        self.patience_s = patience_s
        self._remote = name.startswith("grpc:")
        self._lock: Any = None
        self._closers: list[Callable[[], None]] = []
        self._transient = _transient()
        self._finished = _import_optuna().exceptions.UpdateFinishedTrialError
        opener = _opener(name, create=create, closers=self._closers)
        if name.startswith("sqlite:"):
            self._lock = _lock_alone(name)
        self.backend: BaseStorage = self.call("opened", opener)

    def call(self, what: str, question: Callable[[], Value]) -> Value:
        """Return the answer of `question`; `what` says in an error what could not be done ("opened", "read").

        A KeyError means that the study or trial is gone: a StorageError at once. What says that a trial is finished
        passes (see `unless_finished`).
        """
        deadline = time.monotonic() + self.patience_s
        pause, tries = 0.05, 0
        while True:
            tries += 1
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return _within(max(1.0, self.patience_s), question) if self._remote else question()
            except self._finished:
                raise
            except KeyError as problem:
                raise StorageError(
                    f"the storage {shown_name(self.name)} no longer holds this search ({problem}); was the study "
                    "deleted, or the database made anew? Nothing was decided"
                ) from None
            except self._transient as problem:
                if time.monotonic() + pause > deadline:
                    raise StorageError(
                        f"the storage {shown_name(self.name)} could not be {what} in {tries} tries over "
                        f"{self.patience_s:g} s: {_short(problem)}. What was stored is kept: bring the storage back "
                        "and start again, which goes on where this ended"
                    ) from None
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def unless_finished(self, what: str, question: Callable[[], Value]) -> Value | None:
        """Return the answer of `question`, or None where it concerns a trial that is finished."""
        try:
            return self.call(what, question)
        except self._finished:
            return None

    def close(self) -> None:
        """Give back connections and locks."""
        while self._closers:
            self._closers.pop()()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _within(seconds: float, question: Callable[[], Value]) -> Value:
    """Return the answer of `question`, or raise a TimeoutError: Optuna's gRPC client would wait for ever."""
    answers: list[Value] = []
    problems: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(question())
        except Exception as problem:  # noqa: BLE001 - it is raised where the answer is waited for
            problems.append(problem)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    for problem in problems:
        raise problem
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answers[0]


def check_name(name: str) -> Literal["journal", "postgresql", "grpc", "sqlite"]:
    """Return a storage's kind without opening it; a name that means nothing is a ConfigError, a package that it needs
    and is not there a ToolNotFound.
    """
    _opener(name, create=False, closers=[])
    if name.startswith("sqlite:"):
        return "sqlite"
    return "grpc" if name.startswith("grpc:") else "postgresql" if _POSTGRES.match(name) else "journal"


def check_shared(name: str) -> None:
    """Refuse a storage that several processes cannot share: SQLite, and what lives in one process's memory."""
    if name.startswith("sqlite:"):
        raise ConfigError(
            f"the storage {name} cannot serve more than one worker: SQLite locks the whole file, so that workers wait "
            'for each other and fail ("database is locked"), and two of them can take the same trial. '
            f"Use {FORMS}"
        )


def check_begun(name: str) -> None:
    """Refuse a journal that is not there, without waiting for it."""
    path = _journal_path(name)
    if path and not Path(path).is_file():
        raise StorageError(
            f"there is no journal {path}: no search began there. Name the storage of one that did, such as "
            "journal:RUN/jobs.journal"
        )


def shown_name(name: str) -> str:
    """The storage's name without its password."""
    return _PASSWORD.sub(r"\1:***@", name)


def _opener(name: str, *, create: bool, closers: list[Callable[[], None]]) -> Callable[[], BaseStorage]:
    """Return what opens the storage and adds what closes it; a name that means nothing is a ConfigError."""
    path = _journal_path(name)
    if path is not None:
        return _journal(path, create=create)
    if found := _GRPC.match(name):
        return _proxy(found[1].strip("[]"), int(found[2]), closers)
    if found := _POSTGRES.match(name):
        _need("psycopg", "scale")
        return _database("postgresql+psycopg://" + name[found.end() :], _POSTGRES_OPTIONS, closers)
    if name.startswith("sqlite:///") and name.removeprefix("sqlite:///") not in ("", ":memory:"):
        return _database(name, {}, closers)
    raise ConfigError(f"a storage must be {FORMS}; or, for one process alone, sqlite:///PATH; not {shown_name(name)!r}")


def _journal_path(name: str) -> str | None:
    """The path of a journal; None where the name is that of another storage."""
    if name.startswith("journal:"):
        return name.removeprefix("journal:").removeprefix("//")
    return name if "://" not in name and name.endswith((".log", ".journal")) else None


def _journal(path: str, *, create: bool) -> Callable[[], BaseStorage]:
    if not path:
        raise ConfigError("journal: must be followed by the path of a file, such as journal:runs/search.log")
    optuna = _import_optuna()

    def opened() -> BaseStorage:
        from codesign.search.blackboard.journal import JournalFile

        return optuna.storages.JournalStorage(JournalFile(Path(path), create=create))

    return opened


def _database(url: str, options: dict[str, int], closers: list[Callable[[], None]]) -> Callable[[], BaseStorage]:
    optuna = _import_optuna()

    def opened() -> BaseStorage:
        storage = optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True, "connect_args": options})
        closers.append(storage.engine.dispose)
        return optuna.storages.get_storage(storage)

    return opened


def _proxy(host: str, port: int, closers: list[Callable[[], None]]) -> Callable[[], BaseStorage]:
    optuna = _import_optuna()
    _need("grpc", "scale")

    def opened() -> BaseStorage:
        storage = optuna.storages.GrpcStorageProxy(host=host, port=port)
        try:
            storage.wait_server_ready(timeout=2)
        except BaseException:
            storage.close()
            raise
        closers.append(storage.close)
        return storage

    return opened


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ToolNotFound("a search's storage needs optuna: `pip install 'codesign[search]'`") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _need(module: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ToolNotFound(f"this storage needs the package {module!r}: `pip install 'codesign[{extra}]'`")


def _transient() -> tuple[type[BaseException], ...]:
    """The errors that mean: the storage did not answer, ask again."""
    found: list[type[BaseException]] = [OSError, _import_optuna().exceptions.StorageInternalError]
    try:
        from sqlalchemy.exc import SQLAlchemyError

        found.append(SQLAlchemyError)
    except ImportError:
        pass
    try:
        from grpc import RpcError

        found.append(RpcError)
    except ImportError:
        pass
    return tuple(found)


def _lock_alone(name: str) -> Any:
    """Lock the file beside an SQLite database; a second process is refused."""
    path = Path(name.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.with_name(f"{path.name}.lock").open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        check_shared(name)
    return handle


def _short(problem: BaseException) -> str:
    """The first line of an error that says something."""
    details = getattr(problem, "details", None)
    text = details() if callable(details) else str(problem.__cause__ or problem)
    return next((line.strip() for line in str(text).splitlines() if line.strip()), type(problem).__name__)[:300]
