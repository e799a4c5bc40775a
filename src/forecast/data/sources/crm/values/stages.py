"""What a stage means: won, lost or open. One home for it, used by every CRM.

Asked in this order: the CRM's own flags and tables (IsClosed, the pipeline's stages), a mapping file, the stage's name.
A name decides only where it says so plainly ("Closed Won", "6 - Closed/Won", "Gewonnen", "Lost to competitor"). A name
that only looks closed ("Signed", "Completed", "Closed") decides nothing: taking such deals as open would leave
their bookings out without a word, so they are refused by name, with the lines of a mapping that mend it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Literal

import pandas as pd

from forecast.data.codes import translated
from forecast.errors import DataError
from forecast.wording import plural

Outcome = Literal["open", "won", "lost"]
OUTCOMES: tuple[Outcome, ...] = ("open", "won", "lost")

NONE_CLOSED_AT_MOST = 50
"""So many deals may all be open, with a note; more without a single closed one are no record to learn from."""
_STAGES_LISTED = 8
_OVERDUE_DAYS, _OVERDUE_AT_LEAST, _OTHERS_AT_MOST, _OVERDUE_DEALS = 90, 0.95, 0.5, 50


def outcome_of_name(name: str) -> Outcome | None:
    """Return what a stage's name says: won, lost, open; None where it looks closed and does not say how, and for a
    bare identifier (five digits or more, or a GUID).

    Compared without case, accents, signs, numbering ("6 - "), and without what stands in brackets behind it (HubSpot
    puts the pipeline there), unless the bracket alone says it ("Closed (Won)").

    Example: outcome_of_name("6 - Closed/Won") == "won"; outcome_of_name("Signed") is None.
    """
    if _IDENTIFIER.fullmatch(name.strip()):
        return None
    outside = _words(_BRACKETS.sub(" ", name))
    outcome = _outcome_of_words(outside, name)
    if outcome is None or all(word in _FILLERS for word in outside):
        for bracket in _BRACKETS.findall(name):
            inside = _words(bracket)
            told = [word for word in inside if word not in _FILLERS]
            if told and all(word in _WON | _LOST for word in told):
                return _outcome_of_words([*outside, *inside], name)
    return outcome


def outcomes_of_names(stage: pd.Series) -> pd.Series:
    """Return what the names of stages say, a row a deal; a name that looks closed and does not say how is missing."""
    said = {str(name): outcome_of_name(str(name)) for name in stage.dropna().unique()}
    return stage.map({name: outcome for name, outcome in said.items() if outcome is not None}).astype("str")


def outcomes(stage: pd.Series, *, declared: Mapping[str, str], mapped: Mapping[str, str]) -> pd.Series:
    """Return won, lost or open for each row's stage; refuses nothing (see `decide`).

    stage : names; a missing one is open.
    declared, mapped : stage -> outcome as the CRM's own table says, and as a mapping file says.
    """
    said = {str(name): outcome_of_name(str(name)) or "open" for name in stage.dropna().unique()}
    meaning: dict[str, str] = {**said, **mapped, **declared}
    found = translated(stage, meaning)
    return found.fillna("open") if found.hasnans else found


def decide(
    stage: pd.Series,
    *,
    declared: Mapping[str, str],
    mapped: Mapping[str, str],
    table: str,
    column: str,
    notes: list[str],
    open_by_name: set[str],
    probability: pd.Series | None = None,
    closing_columns: str = "the columns or the table that say which stages are closed and won",
) -> pd.Series:
    """Return won, lost or open for each deal, where no flag of the deal itself says it.

    Parameters
    ----------
    stage : a deal's stage, a row a deal; missing counts as open.
    declared, mapped : stage -> outcome as the CRM's own table says, and as a mapping file says; in this order.
    table, column : the file and its column, for messages.
    notes : gains one that lists what was taken from names, with the number of deals taken as open.
    open_by_name : gains the stages that are taken as open since nothing but their name speaks of them, for
        `refuse_long_overdue`.
    probability : 0 to 1, a row a deal, where exported: a stage whose deals all stand at 1 looks closed too.
    closing_columns : what this CRM calls the columns that would decide, for the mend.

    Raises DataError for stages that look closed and would be taken as open: by name, with counts and the mend.
    """
    outcome = outcomes(stage, declared=declared, mapped=mapped)
    known = {**mapped, **declared}
    names = [str(name) for name in stage.dropna().unique() if name not in known]
    certain = set() if probability is None else _at_certainty(stage, probability)
    unclear = [name for name in names if outcome_of_name(name) is None]
    unclear += [name for name in names if outcome_of_name(name) == "open" and name in certain]
    if unclear:
        raise unclear_stages(stage, unclear, table=table, column=column, closing_columns=closing_columns)
    if names:
        notes.append(_taken_from_names(stage, outcome, names))
        open_by_name.update(name for name in names if outcome_of_name(name) == "open")
    return outcome


def unclear_stages(stage: pd.Series, unclear: list[str], *, table: str, column: str, closing_columns: str) -> DataError:
    """Return the error for stages that look closed, with both mends: a mapping's lines, or the CRM's own columns."""
    counts = stage.value_counts()
    unclear = sorted(unclear, key=lambda name: (-int(counts[name]), name))
    rows = [f"{name!r} ({_deals(int(counts[name]))})" for name in unclear]
    lines = "; ".join(f'"{name}" = "won" or "lost"' for name in unclear[:3])
    taken = int(stage.isin(unclear).sum())
    others = [str(name) for name in counts.index if name not in unclear and outcome_of_name(str(name)) == "open"]
    more = f"; taken as open by their names, unless it says lost or won: {_listed(stage, others)}" if others else ""
    return DataError(
        f"stages that look closed, or are mere identifiers, do not say what they mean; {_deals(taken)} would be taken "
        "as open",
        table=table,
        column=column,
        rows=rows,
        count=len(rows),
        mend=f"export {closing_columns}, or say it under [stages] of a mapping (--mapping FILE): {lines}; "
        f'"open" where they are{more}',
    )


def none_closed(outcome: pd.Series, stage: pd.Series, *, table: str) -> list[str]:
    """Return a note where no deal at all is closed; raises DataError where that are more than a few.

    An export of the open pipeline alone, or own stage names that nothing explains, looks like this.
    """
    if not len(outcome) or (outcome != "open").any():
        return []
    what = f"no deal is won or lost: all {len(outcome):,} are taken as open"
    stages = _listed(stage, sorted(set(stage.dropna().astype("str"))))
    if len(outcome) <= NONE_CLOSED_AT_MOST:
        return [f"{what} (stages: {stages}); export closed deals too, and the columns that say which are won"]
    raise DataError(
        what,
        table=table,
        column="stage",
        rows=[stages],
        count=1,
        mend="export closed deals too, with the columns or the file of stages that say which are won; or say what your "
        'stages mean under [stages] of a mapping (--mapping FILE): "the stage" = "won"',
    )


def refuse_long_overdue(frame: pd.DataFrame, *, open_by_name: Collection[str], end: pd.Timestamp, table: str) -> None:
    """Refuse stages taken as open by name whose deals should nearly all have closed long ago.

    Simple case: "Gone" says nothing of its meaning; 9,616 deals stand in it, all due months ago, while those of the
    other open stages are still to come. They are lost deals, and as open ones they would be forecast.

    Parameters
    ----------
    frame : stage, outcome, expected_close_on, a row a deal.
    open_by_name : the stages in question. end : the export's day.

    Raises DataError where at least 95 % of a stage's open deals, 50 at least, are more than 90 days past their close
    date, and at most half of the other open deals are.
    """
    is_open = (frame["outcome"] == "open") & frame["expected_close_on"].notna()
    late = (end - frame["expected_close_on"][is_open]).dt.days > _OVERDUE_DAYS
    by_stage = late.groupby(frame["stage"][is_open]).agg(["mean", "size"])
    suspects = by_stage[(by_stage["mean"] >= _OVERDUE_AT_LEAST) & (by_stage["size"] >= _OVERDUE_DEALS)]
    suspects = suspects[suspects.index.isin(list(open_by_name))]
    others = late[~frame["stage"][is_open].isin(suspects.index)]
    if suspects.empty or (len(others) and others.mean() > _OTHERS_AT_MOST):
        return
    names = sorted(suspects.index, key=lambda name: (-int(suspects["size"][name]), name))
    lines = "; ".join(f'"{name}" = "lost" or "won"' for name in names[:3])
    raise DataError(
        f"stages taken as open by their names hold {_deals(int(suspects['size'].sum()))} that should have closed long "
        f"ago, and few others; of the other open deals {others.mean() if len(others) else 0:.0%} should have",
        table=table,
        column="stage",
        rows=[f"{name!r} ({_deals(int(suspects['size'][name]))})" for name in names[:_STAGES_LISTED]],
        count=len(names),
        mend=f"say under [stages] of a mapping (--mapping FILE) what they mean: {lines}; "
        '"open" where deals are just not looked after',
    )


def _at_certainty(stage: pd.Series, probability: pd.Series) -> set[str]:
    """Return the stages all of whose deals stand at 100 %."""
    lowest = probability.groupby(stage).min()
    return {str(name) for name in lowest.index[lowest >= 1]}


def _taken_from_names(stage: pd.Series, outcome: pd.Series, names: list[str]) -> str:
    parts = []
    for kind in ("won", "lost"):
        there = sorted(name for name in names if outcome_of_name(name) == kind)
        if there:
            parts.append(f"{kind}: {_listed(stage, there)}")
    still_open = sorted(name for name in names if outcome_of_name(name) == "open")
    count = int((outcome == "open").sum())
    more = f": {_listed(stage, still_open)}" if still_open else ""
    parts.append(f"{_deals(count)} taken as open{more}")
    return f"what a stage means is taken from its name: {'; '.join(parts)}"


def _listed(stage: pd.Series, names: list[str]) -> str:
    counts = stage.value_counts()
    names = sorted(names, key=lambda name: (-int(counts[name]), name))
    text = ", ".join(f"{name!r} ({int(counts[name]):,})" for name in names[:_STAGES_LISTED])
    left = len(names) - _STAGES_LISTED
    return f"{text} and {left:,} more" if left > 0 else text


def _deals(count: int) -> str:
    return plural(count, "deal")


# -- names ---------------------------------------------------------------------------------------------

_IDENTIFIER = re.compile(r"\d{5,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BRACKETS = re.compile(r"[(\[{][^)\]}]*[)\]}]")
_LETTERS = str.maketrans({"ı": "i", "ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d"})


def folded(text: str) -> str:
    """Return a text as it is compared: small letters without accents."""
    decomposed = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _words(name: str) -> list[str]:
    """Return the words of a name; numbers and signs separate them, as does the hump of `ClosedWon`."""
    humps = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W\d_]+", folded(humps))


def _vocabulary(text: str) -> frozenset[str]:
    """Return the words or phrases of a list, separated by commas."""
    return frozenset(" ".join(folded(part).split()) for part in text.split(",") if part.strip())


_WON = _vocabulary(
    "won, closedwon, dealwon, gewonnen, gagné, gagnée, gagnés, gagnées, ganado, ganada, ganados, ganadas, vinto, "
    "vinta, vinte, vinti, ganho, ganha, vunnen, vunnet, vundet, voitettu, wygrana, wygrane, wygrany, vyhráno, "
    "vyhraná, kazanıldı, kazanılan, kazanılmış, выиграна, выиграно, выигран, megnyert, câștigat, câștigată, "
    "κερδισμένη, 受注, 受注済, 受注済み, 成約, 成约, 商談成立, 赢单, 贏單, 成交, 已成交, 수주, 계약완료, 성사"
)
_LOST = _vocabulary(
    "lost, loss, closedlost, deallost, verloren, perdu, perdue, perdus, perdues, perdido, perdida, perdidos, "
    "perdidas, perso, persa, perse, persi, förlorad, förlorat, tapt, tabt, hävitty, przegrana, przegrane, "
    "przegrany, utracona, utracone, prohráno, prohraná, ztraceno, kaybedildi, kaybedilen, kaybedilmiş, проиграна, "
    "проиграно, проигран, потеряна, elveszett, elvesztett, pierdut, pierdută, χαμένη, 失注, 输单, 輸單, 丢单, 실주, "
    "실패"
)
# Words that take the certainty from "won" or "lost" where they stand before it, or anywhere behind it.
_BEFORE = _vocabulary(
    "not, never, no, non, nicht, pas, nao, likely, almost, nearly, soon, expected, probable, probably, possible, "
    "possibly, maybe, if, be, being, before, awaiting, risk, should, could, can, will, pending, verbal, verbally, "
    "presumed, fast, presque, casi, quase, quasi"
)
_BEHIND_WON = _vocabulary("verbal, verbally, pending, back, awaiting, subject, conditional, conditionally, tbc, lost")
_BEHIND_LOST = _vocabulary("contact, won")
# Ended without a sale, whatever reason follows.
_ENDED = _vocabulary(
    "disqualified, abandoned, dead, cancelled, canceled, no decision, disqualifiziert, storniert, abandonné, "
    "abandonnée, annulé, annulée, disqualifié, cancelado, cancelada, descartado, descartada, annullato, "
    "annullata, abbandonato, geannuleerd, afgevallen"
)
# Ended without a sale, where nothing else stands there ("Offer declined" may be on its way to a second offer).
_ENDED_ALONE = _vocabulary(
    "rejected, declined, withdrawn, no bid, no sale, no deal, not interested, no interest, duplicate, junk, void, "
    "abgelehnt, kein interesse, refusé, rechazado, rechazada, rifiutato, rejeitado, afgewezen"
)
_CLOSED = _vocabulary(
    "closed, abgeschlossen, geschlossen, fermé, fermée, clôturé, clôturée, clos, conclu, conclue, cerrado, "
    "cerrada, chiuso, chiusa, fechado, fechada, encerrado, afgesloten, gesloten, stängd, stängt, lukket, "
    "suljettu, zamknięte, zamknięta, uzavřeno, kapalı, закрыта, закрыто"
)
# Words that say nothing of their own.
_FILLERS = _CLOSED | _vocabulary(
    "close, deal, deals, opportunity, opp, opps, stage, status, step, phase, lead, the, as, is, a"
)
_LOOKS_CLOSED = _vocabulary(
    "signed, contract signed, agreement signed, signed contract, signed agreement, contract executed, executed, "
    "agreement executed, completed, complete, done, finished, finalized, finalised, ended, ordered, order, order "
    "received, order placed, po received, purchase order received, po, purchase order, booked, booking, invoiced, "
    "paid, delivered, live, go live, onboarded, implemented, awarded, contract awarded, accepted, customer, new "
    "customer, client, renewed, churned, archived, archive, expired, terminated, failed, success, successful, "
    "unsuccessful, unqualified, bought, purchased, sold, sale, sale made, win, wins, unterschrieben, vertrag "
    "unterschrieben, beauftragt, auftrag, auftrag erhalten, bestellt, bestellung, verkauft, erledigt, signé, "
    "signée, contrat signé, vendu, vendue, terminé, firmado, contrato firmado, vendido, vendida, firmato, "
    "contratto firmato, venduto, assinado, contrato assinado, getekend, ondertekend, verkocht, afgerond"
)


def _outcome_of_words(words: list[str], name: str) -> Outcome | None:
    won = [place for place, word in enumerate(words) if word in _WON]
    lost = [place for place, word in enumerate(words) if word in _LOST]
    if won and lost:
        return None
    if won or lost:
        first = (won or lost)[0]
        doubts = _BEHIND_WON if won else _BEHIND_LOST
        doubtful = set(words[:first]) & _BEFORE or set(words[first + 1 :]) & doubts
        return None if doubtful else ("won" if won else "lost")

    rest = [word for word in words if word not in _FILLERS]
    text = " ".join(rest)
    if rest and (rest[0] in _ENDED or (" ".join(rest[:2]) in _ENDED and rest[2:3] != ["maker"])):
        return "lost"
    if text in _ENDED_ALONE:
        return "lost"
    if text == "win" and set(words) & {"closed", "deal"}:
        return "won"
    if text in _LOOKS_CLOSED or set(words) & _CLOSED or (not words and "100" in name):
        return None
    return "open"
