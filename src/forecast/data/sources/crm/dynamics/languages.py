"""Views of Dynamics 365 in other languages: what their columns are called, and what their states mean.

A view prints the labels of its user's language. The columns of three are known by name; in every language the state of
an opportunity is one of three, which its number, its English label, its own name ("Gewonnen") or a mapping file says.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from forecast.data.codes import translated
from forecast.data.sources.crm.values.reading import Reading, found
from forecast.data.sources.crm.values.stages import folded, outcome_of_name
from forecast.errors import DataError

_COLUMNS: dict[str, tuple[str, ...]] = {
    "opportunity_id": (
        "(Nicht ändern) Verkaufschance",
        "(Ne pas modifier) Opportunité",
        "(No modificar) Oportunidad",
    ),
    "state": ("Statut", "État", "Estado"),
    "estimated": (
        *("Gesch. Umsatz", "Geschätzter Umsatz", "Geschätzter Wert"),
        *("Revenu est.", "Revenu estimé", "Chiffre d'affaires est.", "Chiffre d'affaires estimé", "CA estimé"),
        *("Ingresos est.", "Ingresos estimados", "Valor estimado"),
    ),
    "estimated_base": (
        *("Gesch. Umsatz (Basis)", "Geschätzter Umsatz (Basis)", "Geschätzter Wert (Basis)"),
        *("Revenu est. (de base)", "Revenu estimé (de base)", "Chiffre d'affaires estimé (de base)"),
        *("Ingresos est. (base)", "Ingresos estimados (base)", "Valor estimado (base)"),
    ),
    "actual": (
        *("Tats. Umsatz", "Tatsächlicher Umsatz", "Tatsächlicher Wert"),
        *("Revenu réel", "Chiffre d'affaires réel", "CA réel"),
        *("Ingresos reales", "Valor real"),
    ),
    "actual_base": (
        *("Tats. Umsatz (Basis)", "Tatsächlicher Umsatz (Basis)", "Tatsächlicher Wert (Basis)"),
        *("Revenu réel (de base)", "Chiffre d'affaires réel (de base)"),
        *("Ingresos reales (base)", "Valor real (base)"),
    ),
    "expected": (
        *("Gesch. Abschlussdatum", "Geschätztes Abschlussdatum", "Voraussichtliches Abschlussdatum"),
        *("Date de clôture est.", "Date de clôture estimée", "Date de fermeture est.", "Date de fermeture estimée"),
        *("Fecha de cierre est.", "Fecha de cierre estimada", "Fecha estimada de cierre"),
    ),
    "closed": (
        *("Tats. Abschlussdatum", "Tatsächliches Abschlussdatum"),
        *("Date de clôture réelle", "Date de fermeture réelle"),
        *("Fecha de cierre real", "Fecha real de cierre"),
    ),
    "created_at": ("Erstellt am", "Créé le", "Date de création", "Fecha de creación", "Creado el"),
    "touched_at": (
        *("(Nicht ändern) Geändert am", "Geändert am"),
        *("(Ne pas modifier) Modifié le", "(Ne pas modifier) Date de modification", "Modifié le"),
        *("(No modificar) Fecha de modificación", "(No modificar) Modificado el", "Fecha de modificación"),
    ),
    "stage": ("Verkaufsphase", "Pipelinephase", "Phase du pipeline", "Étape de vente", "Fase de la canalización"),
    "owner": ("Besitzer", "Propriétaire", "Propietario"),
    "account_id": ("Potenzieller Kunde", "Client potentiel", "Cliente potencial", "Firma", "Compte", "Cuenta"),
    "currency": ("Währung", "Devise", "Divisa", "Moneda"),
    "lost_reason": ("Statusgrund", "Raison du statut", "Raison de l'état", "Razón para el estado"),
    "probability": ("Wahrscheinlichkeit", "Probabilité", "Probabilidad"),
}

_STATES = {"0": "open", "1": "won", "2": "lost", "open": "open", "won": "won", "lost": "lost"}
_OPEN = (
    *("offen", "geoffnet", "ouvert", "ouverte", "abierto", "abierta", "aperto", "aperta", "aberto", "aberta"),
    *("geopend", "aben", "aaben", "apen", "oppen", "avoin", "otwarta", "otwarte", "otevreno", "otevrena", "acik"),
)
"""The state Open in the languages Dynamics speaks most, as `folded` writes it."""
_WON = ("lograda", "logrado", "conclue", "conclu", "obtenida", "acordada")
"""Words for a state that is won which would decide nothing as the name of a stage: "conclu" there is merely closed."""


def in_other_languages(columns: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return what columns may be called, English names first."""
    return {ours: (*names, *_COLUMNS.get(ours, ())) for ours, names in columns.items()}


def outcomes_of_states(state: pd.Series, reading: Reading, column: str, *, said: Mapping[str, str]) -> pd.Series:
    """Return open, won or lost of each row: by the state's number or label, in English or another language.

    said : what the [stages] of a mapping file say. Raises DataError for other values, by name.
    """
    meaning: dict[str, str] = {}
    by_name: dict[str, str] = {}
    for value in map(str, state.dropna().unique()):
        small = value.strip().lower()
        known = said.get(value) or said.get(small) or _STATES.get(small.removesuffix(".0"))
        if known is None:
            known = by_name[value] = _by_name(value)
        if known:
            meaning[value] = known
    outcome = translated(state, meaning)
    bad = outcome.index[outcome.isna()]
    if len(bad):
        example = next((value for value, known in by_name.items() if not known), "Voitettu")
        raise DataError(
            "is none of 0 (open), 1 (won), 2 (lost)",
            table=reading.table,
            column=column,
            rows=found(state, bad),
            count=len(bad),
            mend="export statecode as its number or its English label (Open, Won, Lost), or say what it means in a "
            f'mapping (--mapping FILE): [outcome] column = "{column}", won = ["{example}"], lost = …, open = …',
        )
    if by_name:
        reading.say(column, f"{', '.join(f'{name!r} is {known}' for name, known in by_name.items())}, by the name")
    return outcome.astype("str")


def _by_name(value: str) -> str:
    """Return what the name of a state says; empty where it says nothing."""
    word = folded(value).strip()
    if word in _OPEN:
        return "open"
    if word in _WON:
        return "won"
    known = outcome_of_name(value)
    return known if known in ("won", "lost") else ""
