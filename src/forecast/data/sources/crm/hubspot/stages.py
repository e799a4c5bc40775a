"""What HubSpot says of the stages of its pipelines, and which of them a deal stands in.

Simple case: a deal names its stage by identifier, and the table of stages has a row for it: its label, its order, and
whether it closes a deal. On the screen a stage is its label, with the pipeline in brackets where there are several
("Closed Won (Sales Pipeline)"); two pipelines may share a label, and mean different things by it. So a label is looked
up together with its pipeline, and refused where the pipeline would decide and is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.data.sources.crm.export import Export
from forecast.data.sources.crm.values.numbers import numbers, shares
from forecast.data.sources.crm.values.reading import Reading, flags
from forecast.errors import DataError

_BRACKET = re.compile(r"^(?P<label>.*\S)\s*\((?P<pipeline>[^()]*(?:\([^()]*\))?[^()]*)\)$")
_BY_IDENTIFIER = {"closedwon": "won", "closedlost": "lost"}


def stage_table(export: Export, readings: Mapping[str, Reading]) -> pd.DataFrame | None:
    """Return what the export says of each stage; None where it says nothing.

    readings : role -> how its file is read.

    Returns stage_id, stage (its name in our tables: the label, with the pipeline's identifier in brackets where
    pipelines share it), label, pipeline, pipeline_label, outcome (missing where the table does not say), [position,
    probability].
    """
    for role, rows in (
        ("stages", export.get("stages")),
        ("pipelines", _from_pipelines(export)),
        ("stage_history", _from_stage_history(export)),
        ("opportunities", _from_deals(export)),
    ):
        if rows is not None:
            return _table(export, rows, readings[role])
    return None


def _table(export: Export, rows: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    label = rows["stage"].fillna(rows["stage_id"]) if "stage" in rows else rows["stage_id"]
    out = pd.DataFrame({"stage_id": rows["stage_id"], "label": label})
    out["pipeline"] = rows["pipeline"] if "pipeline" in rows else pd.Series(np.nan, index=rows.index, dtype="str")
    out["pipeline_label"] = _pipeline_labels(export, rows, out["pipeline"])
    out = out[out["stage_id"].notna()].drop_duplicates("stage_id")
    rows = rows.loc[out.index]
    if "probability" in rows:
        out["probability"] = shares(rows["probability"], reading, column="probability")
    if "position" in rows:
        out["position"] = numbers(rows["position"], reading, column="display_order")
    shared = out["label"].duplicated(keep=False) & out["pipeline"].notna()
    out["stage"] = out["label"].where(~shared, out["label"] + " (" + out["pipeline"].fillna("") + ")")
    out["outcome"] = _declared(rows, out)
    return _with_common_labels(out)


def _with_common_labels(stages: pd.DataFrame) -> pd.DataFrame:
    """Add, for each label that several pipelines share and mean the same by, a row for deals without a pipeline."""
    shared = stages[stages["label"].duplicated(keep=False)]
    alike = shared.groupby("label")["outcome"].transform(lambda values: values.nunique(dropna=False)) == 1
    common = shared[alike].drop_duplicates("label")
    common = common.assign(stage=common["label"], stage_id=np.nan, pipeline=np.nan, pipeline_label=np.nan)
    return pd.concat([stages, common.astype(stages.dtypes)], ignore_index=True)


def _pipeline_labels(export: Export, rows: pd.DataFrame, pipeline: pd.Series) -> pd.Series:
    own = rows["pipeline_label"] if "pipeline_label" in rows else pd.Series(np.nan, index=rows.index, dtype="str")
    table = export.get("pipelines")
    if table is None or "label" not in table:
        return own
    labels = table.dropna(subset=["pipeline"]).drop_duplicates("pipeline").set_index("pipeline")["label"]
    return own.fillna(pipeline.map(labels)).astype("str")


def _declared(rows: pd.DataFrame, out: pd.DataFrame) -> pd.Series:
    """Return won, lost or open as the table says; missing where it has no column that would.

    A closed stage without a column for won is won at 100 %, lost at 0 %. Older tables have no column for closed, or
    leave it false: there a stage at 0 % whose name says lost is lost.
    """
    undecided = pd.Series(np.nan, index=rows.index, dtype="str")
    probability = out["probability"] if "probability" in out else pd.Series(np.nan, index=rows.index)
    by_identifier = out["stage_id"].map(_BY_IDENTIFIER)
    if "is_won" in rows and rows["is_won"].notna().any():
        won = flags(rows["is_won"])
        closed = flags(rows["is_closed"]) if "is_closed" in rows else won
        closed |= out["label"].str.lower().str.contains("lost") & (probability == 0)
        said = pd.Series(np.where(won, "won", np.where(closed, "lost", "open")), index=rows.index, dtype="str")
        return said if "is_closed" in rows else said.where(said != "open", by_identifier)
    if "is_closed" in rows and rows["is_closed"].notna().any():
        closed = flags(rows["is_closed"])
        ending = undecided.where(probability != 1, "won").where(probability != 0, "lost").fillna(by_identifier)
        return ending.where(closed, "open").astype("str")
    return by_identifier.astype("str")


def _from_pipelines(export: Export) -> pd.DataFrame | None:
    """Return the stages that stand as JSON in a column of the pipelines, as the API gives them."""
    pipelines = export.get("pipelines")
    if pipelines is None or "stages" not in pipelines:
        return None
    table = export.files["pipelines"]
    found: list[dict[str, object]] = []
    for pipeline, text in zip(pipelines["pipeline"], pipelines["stages"], strict=True):
        if not isinstance(text, str):
            continue
        try:
            stages = json.loads(text)
            for stage in stages:
                more = stage.get("metadata") or {}
                found.append(
                    {
                        "stage_id": stage.get("id", stage.get("stageId")),
                        "stage": stage.get("label"),
                        "pipeline": pipeline,
                        "position": stage.get("displayOrder"),
                        "probability": more.get("probability", stage.get("probability")),
                        "is_closed": more.get("isClosed", stage.get("isClosed")),
                        "is_won": stage.get("closedWon"),
                    }
                )
        except (ValueError, AttributeError, TypeError) as error:
            raise DataError(
                "cannot be read as the JSON list of a pipeline's stages",
                table=table,
                column=export.columns["pipelines"]["stages"],
                mend="export it as the API gives it, or a row a stage in deal_pipeline_stage.csv",
            ) from error
    out = pd.DataFrame(found)
    return None if out.empty else out.map(lambda value: None if value is None else str(value)).astype("str")


def _from_stage_history(export: Export) -> pd.DataFrame | None:
    """Return the stages as a modelled history of stages names them beside each row."""
    rows = export.get("stage_history")
    if rows is None or "stage" not in rows:
        return None
    return rows.drop(columns=["opportunity_id", "recorded_at"]).rename(columns={"value": "stage_id"})


def _from_deals(export: Export) -> pd.DataFrame | None:
    """Return the stages as the deals name them, where a deal has both identifier and label."""
    deals = export.frames["opportunities"]
    if "stage_label" not in deals:
        return None
    taken = {"stage_id": "stage_id", "stage_label": "stage", "pipeline": "pipeline", "pipeline_label": "pipeline_label"}
    return deals[[name for name in taken if name in deals]].rename(columns=taken)


def located(stage: pd.Series, pipeline: pd.Series | None, stages: pd.DataFrame, *, table: str) -> pd.Series:
    """Return, for each deal or row of history, the row label of its stage in the table of stages; missing where none.

    stage : identifier or label, the label perhaps with its pipeline in brackets. pipeline : identifier or label of the
    pipeline, of the same index; None where not known. table : the file's name, for messages.

    Raises DataError where a label is that of several pipelines which mean different things by it.
    """
    pairs = pd.DataFrame({"stage": stage, "pipeline": np.nan if pipeline is None else pipeline}, index=stage.index)
    distinct = pairs.drop_duplicates().dropna(subset=["stage"])
    place = [_place(row.stage, row.pipeline, stages, table) for row in distinct.itertuples(index=False)]
    known = distinct.assign(place=place)
    return pairs.merge(known, on=["stage", "pipeline"], how="left")["place"].set_axis(stage.index)


def _place(stage: str, pipeline: object, stages: pd.DataFrame, table: str) -> object:
    by_id = stages.index[stages["stage_id"] == stage]
    if len(by_id):
        return by_id[0]
    bracket = _BRACKET.match(stage)
    for label, owner in ((stage, pipeline), *([(bracket["label"], bracket["pipeline"])] if bracket else [])):
        rows = stages[stages["label"].str.lower() == label.lower()]
        if isinstance(owner, str):
            there = rows[(rows["pipeline"] == owner) | (rows["pipeline_label"].str.lower() == owner.lower())]
            rows = there if len(there) else rows
        common = rows[rows["stage_id"].isna()]
        if len(rows) == 1 or len(common):
            return (rows if len(rows) == 1 else common).index[0]
        if len(rows):
            meanings = ", ".join(
                f"{outcome or 'not said'} in {owner}"
                for outcome, owner in zip(rows["outcome"].fillna(""), rows["pipeline"], strict=True)
            )
            raise DataError(
                f"the stage {stage!r} is one of {len(rows)} pipelines and means different things: {meanings}",
                table=table,
                column="dealstage",
                mend="export the deals' Pipeline too, or the identifiers of their stages",
            )
    return np.nan
