"""What is settled before the first notebook starts: which notebooks, their parameters, the data, the scenario.

Everything that can be wrong with a request is found here, and nothing is written but copies of the data: of a database,
so that every notebook sees the same rows and none knows its address; and the redacted one.
What reads and checks a scenario is loaded only where one is asked for.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.data.asked_day import Asked, covering, day_asked
from forecast.data.schema import Company, Log
from forecast.errors import DataError, ParameterError, nearest
from forecast.reporting.month import own_code
from forecast.reporting.published.part import PARAMETER, check_part, part_of
from forecast.reporting.run import workspace
from forecast.reporting.run.parameters import Parameter, check_parameters, parameters_of, read_notebook
from forecast.reporting.run.reading import Reading

if TYPE_CHECKING:
    from forecast.reporting.run.progress import Progress

SCENARIO_NOTEBOOK = "00_explore"
"""The notebook that shows a scenario; no other receives it."""

ANALYST = "analyst"
"""The tag of cells that show a frame or try something: JupyterLab and plain papermill run them, a report does not."""

_TEXTS, _DEALS = ("segment", "product"), ("won", "lost")
_OPTIONS = {"data": "--data", "as_of": "--as-of", "months": "--months", "seed": "--seed", "tables": "--out"}
_OPTIONS[PARAMETER] = "--where"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One notebook of the report and the notebooks whose tables it reads; `kind` is `analysis` or `leader`."""

    name: str
    after: tuple[str, ...] = ()
    kind: str = "analysis"


_BEFORE_THE_SCORECARD = ("02_win_probability", "03_bookings", "04_track_record", "05_joint_planning")

# In the order in which they are taken up: the longest first, so that the others fit next to it.
STAGES = (
    Stage(name="04_track_record"),
    Stage(name="01_data_audit"),
    Stage(name="02_win_probability", after=("04_track_record",)),
    Stage(name="03_bookings", after=("04_track_record",)),
    Stage(name="05_joint_planning", after=("04_track_record",)),
    Stage(name="00_explore", after=("02_win_probability", "05_joint_planning")),
    Stage(name="06_scorecard", after=_BEFORE_THE_SCORECARD),
    Stage(name="07_leadership_brief", after=("01_data_audit", *_BEFORE_THE_SCORECARD, "06_scorecard"), kind="leader"),
)


BY = {"segment": Stage(name="10_segment", after=tuple(stage.name for stage in STAGES))}
"""What a report can be divided by, and the notebook that is run for each part; it reads the month's tables."""
LISTED = "segments"
"""The table of a month that lists its parts; the tables of the page that shows it begin so."""


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """One notebook of the report.

    `content` is its file as JSON, `declared` the parameters it has; `values` are what it receives in this run,
    `published` the same as seen from the finished month, without the paths of this machine.
    """

    stage: Stage
    file: Path
    content: Mapping[str, Any]
    declared: Sequence[Parameter]
    values: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """The names of its parameters."""
        return {parameter.name for parameter in self.declared}

    @property
    def title(self) -> str:
        """Its first heading."""
        from forecast.reporting.run import export

        return export.heading(self.content, self.stage.name)


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that is known of a report before its first notebook starts.

    `notebooks` are by name, in the order in which they are taken up; `logo` is a data address or empty; the folders of
    `hide` are cut off paths in what notebooks show; `private`, one of them, is where the run copies data to; `redacted`
    says that the copy which is read holds no names; `made_from` is what the manifest records, `reading` knows whether
    all of it still is what it was. `each` is the notebook that is run for every segment, None where that is not asked.
    """

    month: workspace.Month
    notebooks: Mapping[str, Notebook]
    company: Company
    logo: str
    hide: Sequence[Path]
    private: Path
    redacted: bool
    made_from: Mapping[str, Any]
    reading: Reading
    each: Notebook | None = None


def divided_by(by: str | None) -> tuple[Stage, ...]:
    """Return the stages that are run for each part of a month; none where it is not divided. Raises ParameterError."""
    if by is None:
        return ()
    if by not in BY:
        raise ParameterError(f"a report cannot be divided by {by!r}; {nearest(by, BY)}")
    return (BY[by],)


def stages_of(name: str, stages: Sequence[Stage] = STAGES) -> tuple[Stage, ...]:
    """Return one stage and those it reads from, in the order of all. Raises ParameterError where there is none."""
    known = {stage.name: stage for stage in stages}
    if name not in known:
        raise ParameterError(f"there is no notebook {name!r}; {nearest(name, known)}")
    wanted, ahead = set(), [name]
    while ahead:
        wanted.add(one := ahead.pop())
        ahead.extend(each for each in known[one].after if each in known)
    return tuple(stage for stage in stages if stage.name in wanted)


def stages_from(name: str, stages: Sequence[Stage] = STAGES) -> frozenset[str]:
    """Return the names of one stage and of all that read from it. Raises ParameterError where there is none."""
    stages_of(name, stages)
    return frozenset(one.name for one in stages if name in {each.name for each in stages_of(one.name, stages)})


def notebooks_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the notebooks: the given one, else the project's, else `notebooks` here or above."""
    if given is not None:
        if not Path(given).is_dir():
            raise ParameterError(f"{Path(given)}: there is no such folder of notebooks")
        return Path(given)
    here = Path.cwd()
    for base in (Path(__file__).parents[4], here, *here.parents):
        if (base / "notebooks" / f"{STAGES[-1].name}.ipynb").is_file():
            return base / "notebooks"
    raise ParameterError("the notebooks are not found; give their folder with --notebooks")


def read_notebooks(folder: Path, stages: Sequence[Stage]) -> dict[str, Notebook]:
    """Return the notebooks of the stages by name, not yet with values. Raises ParameterError."""
    found = {}
    for stage in stages:
        file = folder / f"{stage.name}.ipynb"
        content = for_the_month(read_notebook(file))
        declared = parameters_of(content, where=file.name)
        found[stage.name] = Notebook(stage=stage, file=file, content=content, declared=declared)
    return found


def for_the_month(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook without the cells that are for whoever works in it, tagged `analyst`: a report runs no such."""
    cells = [cell for cell in content["cells"] if ANALYST not in cell.get("metadata", {}).get("tags", [])]
    return {**content, "cells": cells}


def with_values(
    notebooks: Mapping[str, Notebook],
    *,
    standard: Mapping[str, Any],
    given: Mapping[str, Any],
    scenario: str | os.PathLike[str] | None,
) -> dict[str, Notebook]:
    """Return the notebooks with the values of their parameters, checked and typed.

    standard : what each notebook receives that has a parameter of that name.
    given : the same, by `--parameter`; each must be a parameter of some notebook.
    scenario : a file whose values go to `SCENARIO_NOTEBOOK` alone.
    """
    scene = _read_scenario(scenario, given, notebooks)
    known = set().union(*(notebook.names for notebook in notebooks.values()))
    for name in given:
        if name in _OPTIONS:
            raise ParameterError(f"{name} has an option of its own: give {_OPTIONS[name]}")
        if name not in known:
            raise ParameterError(f"no notebook has a parameter {name!r}; {nearest(name, known)}")
    found = {}
    for name, notebook in notebooks.items():
        if standard.get(PARAMETER) and "data" in notebook.names and PARAMETER not in notebook.names:
            raise ParameterError(
                f"{name} has no parameter {PARAMETER!r}: it would show the whole company; leave out --where"
            )
        own = {key: value for key, value in {**standard, **given}.items() if key in notebook.names}
        own.update(scene if name == SCENARIO_NOTEBOOK else {})
        found[name] = replace(notebook, values=check_parameters(own, notebook.declared, where=name))
    return found


def prepare(
    notebooks: Mapping[str, Notebook],
    *,
    data: str | os.PathLike[str],
    day: Asked,
    out: Path,
    private: Path,
    redacted: bool,
    salt_file: str | os.PathLike[str] | None,
) -> Job:
    """Read and check the data, and settle what the month is made from.

    private : an empty folder, for copies: of a database or a workbook, and the redacted one. From then on kernels,
        fingerprints and pages see the last copy only. Raises ParameterError, DataError, MachineError.
    """
    from forecast.data.sources.read import shown
    from forecast.data.sources.redact import read_salt, redact
    from forecast.reporting.run import export, pages  # they load what draws

    where = part_of(one.values for one in notebooks.values())
    check_part(where, out=out, redacted=redacted)
    reading, place, whole, as_of = _read(data, day, out=out, private=private)
    log = _part(whole, where)
    if SCENARIO_NOTEBOOK in notebooks:
        _check_scenario(notebooks[SCENARIO_NOTEBOOK].values, log, as_of=as_of)
    picture = (place / log.company.logo).resolve() if log.company.logo else None
    logo = export.logo(picture if picture and picture.is_relative_to(place.resolve()) else None)
    hide = pages.folders_to_hide(place.resolve())
    hide += [private, private.resolve()]
    names, read_from = None, place
    if redacted:
        salt = read_salt(None if salt_file is None else Path(salt_file), outside=out)
        read_from = private / "redacted"
        names = redact(place, read_from, log=whole, salt=salt)
    month = workspace.Month(out=out, as_of=as_of)
    # A folder that is read as it is keeps the name it was given by.
    copy = read_from if read_from.is_relative_to(private) else None
    settled = {
        name: _settled(one, month=month, shown=shown(data), copy=copy, names=names) for name, one in notebooks.items()
    }
    own_code.check(one.values for one in settled.values())
    made_from = _made_from(settled, as_of, read_from, redacted=redacted)
    reading.check()
    each = [name for name in settled if name in {stage.name for stage in BY.values()}]
    run = _private(settled, private / "notebooks")
    return Job(
        month=month,
        notebooks={name: one for name, one in run.items() if name not in each},
        each=run[each[0]] if each else None,
        company=log.company,
        logo=logo,
        hide=hide,
        private=private,
        redacted=redacted,
        made_from=made_from,
        reading=reading.of_a_copy() if redacted else reading,
    )


def as_published(
    data: str | os.PathLike[str],
    *,
    as_of: str,
    out: Path,
    months: int = 6,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    scenario: str | os.PathLike[str] | None = None,
    notebooks: str | os.PathLike[str] | None = None,
    now: dt.datetime | None = None,
    by: str | None = None,
    where: str = "",
    progress: Progress,
) -> Path | None:
    """Return the leader's page of a month that was published from exactly this; None where that is not certain.

    Simple case: parameters, every data file, notebooks, the program and its packages are those that the manifest names,
    and every published file and the page of months are as they were published: then a run would make the same again.
    Nothing of the data is read but bytes, and nothing is loaded that computes or draws. Of a copy (a database, a
    workbook, a month without names), and where work was left or a run failed since, the run itself decides.

    The arguments are those of `report`; progress hears what stands. Raises ParameterError as `report` does.
    """
    from forecast.data.sources import files
    from forecast.data.sources.company import read_company
    from forecast.data.sources.read import database_of, shown
    from forecast.reporting.published import book
    from forecast.reporting.published.months import hashes, read

    day = Asked(as_of=as_of, now=now)
    standard = {"data": os.fspath(data), "as_of": day.first_guess, "months": months, "seed": seed, PARAMETER: where}
    asked = read_notebooks(notebooks_folder(notebooks), (*STAGES, *divided_by(by)))
    asked = with_values(asked, standard=standard, given=parameters or {}, scenario=scenario)
    if not out.is_dir() or database_of(data) is not None or not (place := files.locate(data)).is_dir():
        return None
    company = read_company(place)
    nothing = Log(tables={}, company=company, extracted_on=pd.Timestamp.max)
    month = workspace.Month(out=out, as_of=str(day_asked(day.as_of, nothing, now=day.now).date()))
    stands = read(month.final)
    if stands.problem or month.work.exists() or month.failed.exists() or not (out / "index.html").is_file():
        return None
    if not (listed := book.read(out).index) or listed != book.index_hash(out):  # a run ended before it was written
        return None
    if company.logo and Path(company.logo).parent != Path():  # no file of the folder itself: it has no fingerprint
        return None
    settled = {
        name: _settled(one, month=month, shown=shown(data), copy=None, names=None) for name, one in asked.items()
    }
    made_from = json.loads(json.dumps(_made_from(settled, month.as_of, place, redacted=False), default=str))
    same = all(stands.manifest.get(name) == value for name, value in made_from.items())
    if not same or hashes(month.final) != stands.files:
        return None
    progress.about(made_from)
    progress.published({**stands.link.as_dict(), "new": False})
    return month.final / "index.html"


def _read(data: str | os.PathLike[str], day: Asked, *, out: Path, private: Path) -> tuple[Reading, Path, Log, str]:
    """Return the reading that begins, the folder that is read, its log, and the day that is meant."""
    from forecast.data.sources.files import read
    from forecast.data.sources.read import copied, ending_on

    place = copied(data, private / "data")
    own = place.is_relative_to(private)
    if not own:
        _check_apart(place, out)
    reading = Reading.begin(None if own else place)
    try:
        log = read(place)
    except DataError:
        reading.check()  # of data that are being replaced nothing more can be said
        raise
    last = day_asked(day.as_of, log, now=day.now)
    covers = covering(log, last, nothing_since=day.nothing_since)
    if covers is not log:
        log, place = covers, ending_on(place, private / "reaching", company=log.company, day=last)
    return reading, place, log, str(last.date())


def _part(log: Log, where: str) -> Log:
    """Return the log of the deals that a condition picks; the log where there is none. Raises ParameterError."""
    if not where:
        return log
    from forecast.data.selection.select import select  # loads what reads a condition

    return select(log, where=where)


def _check_apart(place: Path, out: Path) -> None:
    """Raise ParameterError where reports would be written among the data, or the data lie among the reports."""
    data, reports = place.resolve(), out.resolve()
    if data == reports:
        raise ParameterError(
            f"--out {out}: this is the folder of the data\n  mend: name one beside it, such as reports"
        )
    if data in reports.parents or reports in data.parents:
        raise ParameterError(
            f"--out {out}: this is not apart from the folder of the data, {place}\n"
            "  mend: name one beside it, such as reports"
        )


def _settled(
    notebook: Notebook,
    *,
    month: workspace.Month,
    shown: str,
    copy: Path | None,
    names: Mapping[str, Mapping[str, str]] | None,
) -> Notebook:
    """Return a notebook with the final values of its parameters, and these as the finished month shows them.

    shown : how the data are called there. copy : the folder of the copy that is read, None where there is none.
    names : the pseudonyms in it, None where it has the names.
    """
    values = dict(notebook.values)
    if names is not None and notebook.stage.name == SCENARIO_NOTEBOOK:
        values.update(renamed(values, names))
    settled = {"as_of": month.as_of, "tables": str(month.work / "tables")}
    if copy is not None:
        settled["data"] = str(copy)
    values.update({name: value for name, value in settled.items() if name in notebook.names})
    seen = {"tables": "../tables", "data": shown}
    published = {**values, **{name: value for name, value in seen.items() if name in values}}
    return replace(notebook, values=values, published=published)


def _private(notebooks: Mapping[str, Notebook], folder: Path) -> dict[str, Notebook]:
    """Return the notebooks with files of their own in a new folder, as they were read. Raises MachineError."""
    found = {}
    with workspace.machine("the notebooks cannot be copied"):
        folder.mkdir()
        for name, notebook in notebooks.items():
            file = folder / notebook.file.name
            file.write_text(json.dumps(notebook.content), encoding="utf-8")
            found[name] = replace(notebook, file=file)
    return found


def _made_from(notebooks: Mapping[str, Notebook], day: str, place: Path, *, redacted: bool) -> dict[str, Any]:
    own = own_code.prints(notebook.values for notebook in notebooks.values())
    return {
        "as_of": day,
        "redacted": redacted,
        "parameters": {name: notebook.published for name, notebook in notebooks.items()},
        "fingerprints": {
            "data": workspace.data_fingerprints(place),
            "code": workspace.code_fingerprint(),
            "notebooks": {name: workspace.notebook_fingerprint(one.content) for name, one in notebooks.items()},
            **({own_code.PARAMETER: own} if own else {}),
        },
        "versions": workspace.versions(),
    }


# -- scenario --------------------------------------------------------------------------------------------


def _read_scenario(
    file: str | os.PathLike[str] | None, given: Mapping[str, Any], notebooks: Mapping[str, Notebook]
) -> dict[str, Any]:
    """Return the parameters of a scenario file, none where there is no file.

    Raises ParameterError where no notebook could show it, or a parameter is given twice.
    """
    if file is None:
        return {}
    from forecast.reporting.explorer.scenario_file import read_scenario

    scenario = read_scenario(file)
    if scenario and SCENARIO_NOTEBOOK not in notebooks:
        raise ParameterError(f"there is no notebook {SCENARIO_NOTEBOOK} that could show a scenario")
    if twice := sorted(set(scenario) & set(given)):
        raise ParameterError(f"{twice[0]} is given twice: by --scenario and by --parameter")
    return scenario


def _check_scenario(values: Mapping[str, Any], log: Log, *, as_of: str) -> None:
    """Raise ParameterError where values name a segment, product or open deal that the day does not know."""
    if not any(values.get(name) for name in (*_TEXTS, *_DEALS)):
        return
    from forecast.data.known.snapshot import snapshot
    from forecast.reporting.explorer.scenario_file import check_scenario

    snap = snapshot(log, as_of=as_of)
    still_open = snap.opportunities[snap.opportunities["outcome"] == "open"]
    products = still_open["product"].dropna().astype(str) if "product" in still_open else ()
    check_scenario(values, segments=snap.segments, products=products, open_deals=still_open["opportunity_id"])


def renamed(values: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the values that name something, with its pseudonym instead; `names` as `redact` returns them."""
    deals, categories = names.get("deal", {}), names.get("category", {})
    found: dict[str, Any] = {name: [deals[deal.strip()] for deal in values[name]] for name in _DEALS if name in values}
    found.update({name: categories.get(values[name], values[name]) for name in _TEXTS if name in values})
    return found
