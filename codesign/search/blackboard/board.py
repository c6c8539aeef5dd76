"""The trials of one search on a storage: added, claimed by one worker each, kept alive, finished, lost and found."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from codesign import __version__
from codesign.errors import ConfigError, DataError, did_you_mean
from codesign.search.blackboard.storage import Store, shown_name
from codesign.search.jobs import Job, Outcome

__all__ = ["Board", "Entry", "Settled", "WorkerRecord", "settle"]

_MARK = "codesign"
_WORKER = "worker:"


@dataclass(frozen=True)
class Entry:
    """One trial: one attempt at a job.

    beat: counts up while its worker is alive. A trial that ended without an outcome was `lost` (the text says how),
    `released` by a worker that was stopped, or a `duplicate`. Only lost ones count against the job.
    """

    trial: int
    number: int
    state: Literal["waiting", "running", "ended"]
    job: Job
    limit_s: float | None
    worker: str = ""
    beat: int = 0
    outcome: Outcome | None = None
    lost: str = ""
    released: bool = False
    duplicate: bool = False

    @property
    def live(self) -> bool:
        """Whether it may still give an outcome."""
        return self.state != "ended"


@dataclass(frozen=True)
class WorkerRecord:
    """What a worker did. busy_s: seconds in jobs; work_s: seconds in which the search had unfinished jobs."""

    name: str
    host: str
    pid: int
    done: int = 0
    failed: int = 0
    busy_s: float = 0.0
    work_s: float = 0.0
    alive_s: float = 0.0
    ended: bool = False

    @property
    def busy_share(self) -> float | None:
        """Share of the time with unfinished jobs that it spent in jobs; None where there was no such time."""
        return self.busy_s / self.work_s if self.work_s > 0 else None


@dataclass(frozen=True)
class Settled:
    """How a job stands: its outcome if it has one, whether an attempt is under way, and how often one was lost."""

    outcome: Outcome | None
    live: bool
    losses: int


def settle(job: Job, entries: Iterable[Entry], *, most_losses: int) -> Settled:
    """Judge the attempts at one job. The first outcome counts; too many losses are a failed outcome with the reason."""
    ordered = sorted(entries, key=lambda entry: entry.number)
    ended = [entry for entry in ordered if not entry.live]
    lost = [entry for entry in ended if entry.outcome is None and not entry.released and not entry.duplicate]
    live = any(entry.live for entry in ordered)
    outcome = next((entry.outcome for entry in ended if entry.outcome is not None), None)
    if outcome is None and not live and len(lost) >= most_losses:
        told = "; ".join(f"{entry.worker or 'a worker'}: {entry.lost or 'no sign of it'}" for entry in lost)
        reason = f"{len(lost)} workers were lost with it, so it is not tried again ({told})"
        outcome = Outcome(job, "failed", {}, reason, lost[-1].worker, 0.0, "")
    return Settled(outcome, live, len(lost))


class Board:
    """One study of a storage. All processes see the same trials; each change is atomic in the storage.

    A trial only goes from waiting to running to ended, never back, so whoever moved it first owns it: a claim cannot be
    given twice, and the worker of a trial that was declared lost cannot finish it after all. What was lost is tried
    again as a new trial of the same job.
    """

    def __init__(self, store: Store, study: int, name: str, settings: Mapping[str, Any]):
        """Use `Board.begin` or `Board.join`."""
        self.store = store
        self.study = study
        self.name = name
        self.stale_s = float(settings["stale_s"])
        self.most_losses = int(settings["losses"])
        self.shown: dict[str, str] = dict(settings["shown"])
        self._ended: dict[int, Entry] = {}
        self._beats: dict[int, tuple[tuple[str, int], float]] = {}

    @classmethod
    def begin(cls, store: Store, name: str, *, stale_s: float, losses: int, shown: Mapping[str, str]) -> Board:
        """Make the study, or go on with it; one of another version of codesign is a ConfigError."""
        from optuna.exceptions import DuplicatedStudyError
        from optuna.study import StudyDirection

        settings = {"version": __version__, "stale_s": stale_s, "losses": losses, "shown": dict(shown)}
        directions = [StudyDirection[way.upper()] for way in shown.values()] or [StudyDirection.MINIMIZE]

        def made() -> int:
            try:
                return store.backend.create_new_study(directions, name)
            except DuplicatedStudyError:
                return store.backend.get_study_id_from_name(name)

        study = store.call("written", made)
        known = store.call("read", lambda: store.backend.get_study_user_attrs(study)).get(_MARK)
        if known is not None:
            _check_version(known, name)
            settings["shown"] = known["shown"]  # as the trials that are there have it
        labels = list(settings["shown"]) or ["seconds"]
        store.call("written", lambda: store.backend.set_study_system_attr(study, "study:metric_names", labels))
        store.call("written", lambda: store.backend.set_study_user_attr(study, _MARK, settings))
        store.call("written", lambda: store.backend.set_study_user_attr(study, "ended", False))
        return cls(store, study, name, settings)

    @classmethod
    def join(cls, store: Store, name: str | None) -> Board | None:
        """Open the study `name`, or the only one; None where there is none yet. Several are a ConfigError."""
        studies = store.call("read", store.backend.get_all_studies)
        ours = {study.study_name: study for study in studies if _MARK in study.user_attrs}
        if name is None and len(ours) > 1:
            listed = ", ".join(sorted(ours))
            raise ConfigError(f"{shown_name(store.name)} holds several searches: choose one with --study: {listed}")
        if name is not None and name not in ours and ours:
            near = did_you_mean(name, ours)
            if near or any(study.study_name == name for study in studies):
                raise ConfigError(f"{shown_name(store.name)} holds no search {name!r}.{near}")
        found = ours.get(name) if name is not None else next(iter(ours.values()), None)
        if found is None:
            return None
        _check_version(found.user_attrs[_MARK], found.study_name)
        return cls(store, found._study_id, found.study_name, found.user_attrs[_MARK])

    # Trials.

    def entries(self) -> list[Entry]:
        """Return all trials, by number."""
        trials = self.store.call("read", lambda: self.store.backend.get_all_trials(self.study, deepcopy=False))
        return [found for trial in trials if (found := self._entry(trial)) is not None]

    def add(self, job: Job, *, limit_s: float | None) -> None:
        """Add a waiting trial of a job. That of a job which has one already ends as a duplicate when it is claimed."""
        from optuna.trial import TrialState, create_trial

        attributes: dict[str, Any] = {"kind": job.kind, "key": job.key, "job": job.as_dict(), "limit_s": limit_s}
        trial = create_trial(state=TrialState.WAITING, user_attrs=attributes)
        self.store.call("written", lambda: self.store.backend.create_new_trial(self.study, trial))

    def claim(self, entry: Entry, worker: str) -> bool:
        """Take a waiting trial; False where another worker has it, or where its job is done or under way already."""
        from optuna.trial import TrialState

        backend = self.store.backend
        if not self.store.unless_finished(
            "written", lambda: backend.set_trial_state_values(entry.trial, TrialState.RUNNING)
        ):
            return False
        self._set(entry, "worker", worker)
        others = [one for one in self.entries() if one.job == entry.job and one.number != entry.number]
        if any(one.outcome is not None or (one.live and one.number < entry.number) for one in others):
            self._set(entry, "duplicate", True)
            self._end(entry, "FAIL")
            return False
        return True

    def beat(self, entry: Entry, count: int) -> bool:
        """Say that the worker of a trial is alive; False where the trial was taken from it."""
        return self._set(entry, "beat", count)

    def finish(self, entry: Entry, outcome: Outcome) -> bool:
        """Store the outcome; False where the trial was taken from its worker meanwhile."""
        for name, figure in outcome.figures.items():
            self._set(entry, f"{name} ({figure.origin})", figure.value)
        if outcome.reason:
            self._set(entry, "reason", outcome.reason)
        if not self._set(entry, "outcome", outcome.as_dict()):
            return False
        if not outcome.done:
            return self._end(entry, "FAIL")
        values = [outcome.figures[name].value for name in self.shown if name in outcome.figures]
        if len(values) < len(self.shown):
            return self._end(entry, "PRUNED")
        return self._end(entry, "COMPLETE", values or [outcome.seconds])

    def release(self, entry: Entry) -> None:
        """Give back a trial that its worker will not finish; its job waits again."""
        self._set(entry, "released", True)
        if self._end(entry, "FAIL"):
            self.add(entry.job, limit_s=entry.limit_s)

    def lose(self, entry: Entry, how: str) -> bool:
        """End a trial whose worker is lost, and let its job wait again unless that happened too often."""
        self._set(entry, "lost", how)
        if not self._end(entry, "FAIL"):
            return False
        same = [other for other in self.entries() if other.job == entry.job]
        found = settle(entry.job, same, most_losses=self.most_losses)
        if found.outcome is None and not found.live:
            self.add(entry.job, limit_s=entry.limit_s)
        return True

    def reap(self, entries: Iterable[Entry], *, own: str = "") -> int:
        """Lose the running trials whose beat has not changed for `stale_s` seconds of this process's clock.

        Nobody compares clocks of two machines. Returns how many were lost; `own`: the worker whose trials are fine.
        """
        now = time.monotonic()
        running = [entry for entry in entries if entry.state == "running" and entry.worker != own]
        seen = {entry.trial: (entry.worker, entry.beat) for entry in running}
        self._beats = {trial: known for trial, known in self._beats.items() if seen.get(trial) == known[0]}
        count = 0
        for entry in running:
            _, since = self._beats.setdefault(entry.trial, (seen[entry.trial], now))
            if now - since > self.stale_s:
                count += self.lose(entry, f"gave no sign of life for {self.stale_s:g} s")
        return count

    # The search as a whole.

    def mark_ended(self, ended: bool) -> None:
        """Say that the search is over, so that its workers end, or that it goes on."""
        self.store.call("written", lambda: self.store.backend.set_study_user_attr(self.study, "ended", ended))

    @property
    def ended(self) -> bool:
        """Whether the search is over."""
        return bool(self.store.call("read", lambda: self.store.backend.get_study_user_attrs(self.study)).get("ended"))

    def record(self, worker: WorkerRecord) -> None:
        """Store what a worker did so far."""
        plain = {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(worker).items()}
        self.store.call(
            "written", lambda: self.store.backend.set_study_user_attr(self.study, _WORKER + worker.name, plain)
        )

    def workers(self) -> list[WorkerRecord]:
        """What every worker of the study said last, by name."""
        attributes = self.store.call("read", lambda: self.store.backend.get_study_user_attrs(self.study))
        known = {field.name for field in fields(WorkerRecord)}
        return [
            WorkerRecord(**{key: value for key, value in attributes[name].items() if key in known})
            for name in sorted(attributes)
            if name.startswith(_WORKER)
        ]

    def _set(self, entry: Entry, key: str, value: Any) -> bool:
        def question() -> bool:
            self.store.backend.set_trial_user_attr(entry.trial, key, value)
            return True

        return bool(self.store.unless_finished("written", question))

    def _end(self, entry: Entry, state: str, values: list[float] | None = None) -> bool:
        from optuna.trial import TrialState

        def question() -> bool:
            return self.store.backend.set_trial_state_values(entry.trial, TrialState[state], values)

        return bool(self.store.unless_finished("written", question))

    def _entry(self, trial: Any) -> Entry | None:
        """Read a trial; None for one that is not ours (a user's own, added by hand)."""
        if (known := self._ended.get(trial._trial_id)) is not None:
            return known
        given: dict[str, Any] = trial.user_attrs
        if "job" not in given:
            return None
        ended = trial.state.is_finished()
        entry = Entry(
            trial=trial._trial_id,
            number=trial.number,
            state="ended" if ended else "waiting" if trial.state.name == "WAITING" else "running",
            job=Job(given["job"]["kind"], given["job"]["spec"]),
            limit_s=given.get("limit_s"),
            worker=given.get("worker", ""),
            beat=int(given.get("beat", 0)),
            lost=given.get("lost", ""),
            released=bool(given.get("released")),
            duplicate=bool(given.get("duplicate")),
        )
        if entry.job.key != given.get("key"):
            raise DataError(f"trial {entry.number} of the search {self.name!r} does not hold the job that its key says")
        if ended:
            if "outcome" in given:
                entry = replace(entry, outcome=Outcome.from_dict(given["outcome"]))
            self._ended[entry.trial] = entry
        return entry


def _check_version(settings: Mapping[str, Any], study: str) -> None:
    if settings.get("version") != __version__:
        raise ConfigError(
            f"the search {study!r} was begun by codesign {settings.get('version')}, and this is {__version__}, whose "
            "figures may differ: install that version, or begin a search of another name"
        )
