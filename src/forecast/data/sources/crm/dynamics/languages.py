"""Views of Dynamics 365 in other languages: what their columns are called, and what their states mean.

A view prints the labels of its user's language. The columns of six are known by name; in every language the state of
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
        "(Non modificare) Opportunità",
        "(Niet wijzigen) Verkoopkans",
        "(Não Modificar) Oportunidade",
    ),
    "state": ("Statut", "État", "Estado", "Stato"),
    "estimated": (
        *("Gesch. Umsatz", "Geschätzter Umsatz", "Geschätzter Wert", "Voraussichtlicher Umsatz", "Erwarteter Umsatz"),
        *("Revenu est.", "Revenu estimé", "Chiffre d'affaires est.", "Chiffre d'affaires estimé", "CA estimé"),
        *("Ingresos est.", "Ingresos estimados", "Valor estimado"),
        *("Ricavi stimati", "Ricavi stim.", "Geschatte omzet", "Gesch. omzet", "Receita Estimada", "Receita Est."),
    ),
    "estimated_base": (
        *("Gesch. Umsatz (Basis)", "Geschätzter Umsatz (Basis)", "Geschätzter Wert (Basis)"),
        *("Revenu est. (de base)", "Revenu estimé (de base)", "Chiffre d'affaires estimé (de base)"),
        *("Ingresos est. (base)", "Ingresos estimados (base)", "Valor estimado (base)"),
        *("Ricavi stimati (base)", "Geschatte omzet (basis)", "Receita Estimada (Base)", "Receita Est. (Base)"),
    ),
    "actual": (
        *("Tats. Umsatz", "Tatsächl. Umsatz", "Tatsächlicher Umsatz", "Tatsächlicher Wert"),
        *("Revenu réel", "Chiffre d'affaires réel", "CA réel"),
        *("Ingresos reales", "Valor real", "Ricavi effettivi", "Werkelijke omzet", "Receita Real"),
    ),
    "actual_base": (
        *("Tats. Umsatz (Basis)", "Tatsächl. Umsatz (Basis)", "Tatsächlicher Umsatz (Basis)"),
        *("Tatsächlicher Wert (Basis)", "Ricavi effettivi (base)", "Werkelijke omzet (basis)", "Receita Real (Base)"),
        *("Revenu réel (de base)", "Chiffre d'affaires réel (de base)"),
        *("Ingresos reales (base)", "Valor real (base)"),
    ),
    "expected": (
        *("Gesch. Abschlussdatum", "Geschätztes Abschlussdatum", "Voraussichtliches Abschlussdatum"),
        *("Vorauss. Abschlussdatum", "Voraussichtl. Abschlussdatum", "Erwartetes Abschlussdatum"),
        *("Date de clôture est.", "Date de clôture estimée", "Date de fermeture est.", "Date de fermeture estimée"),
        *("Fecha de cierre est.", "Fecha de cierre estimada", "Fecha estimada de cierre"),
        *("Data di chiusura stimata", "Data chiusura stimata", "Geschatte sluitingsdatum", "Gesch. sluitingsdatum"),
        *("Geschatte einddatum", "Data de Fechamento Estimada", "Data de Fechamento Est.", "Data Est. de Fechamento"),
    ),
    "closed": (
        *("Tats. Abschlussdatum", "Tatsächl. Abschlussdatum", "Tatsächliches Abschlussdatum"),
        *("Date de clôture réelle", "Date de fermeture réelle"),
        *("Fecha de cierre real", "Fecha real de cierre", "Data di chiusura effettiva", "Data chiusura effettiva"),
        *("Werkelijke sluitingsdatum", "Werkelijke einddatum", "Data de Fechamento Real", "Data Real de Fechamento"),
    ),
    "created_at": (
        *("Erstellt am", "Créé le", "Date de création", "Fecha de creación", "Creado el"),
        *("Data creazione", "Data di creazione", "Creato il", "Gemaakt op", "Criado em", "Data de Criação"),
    ),
    "touched_at": (
        *("(Nicht ändern) Geändert am", "Geändert am"),
        *("(Ne pas modifier) Modifié le", "(Ne pas modifier) Date de modification", "Modifié le"),
        *("(No modificar) Fecha de modificación", "(No modificar) Modificado el", "Fecha de modificación"),
        *("(Non modificare) Data modifica", "(Non modificare) Data/ora modifica", "(Niet wijzigen) Gewijzigd op"),
        *("(Não Modificar) Modificado em", "(Não Modificar) Data de Modificação", "Gewijzigd op", "Modificado em"),
    ),
    "stage": (
        "Verkaufsphase",
        "Pipelinephase",
        "Phase du pipeline",
        "Étape de vente",
        "Fase de la canalización",
        "Fase pipeline",
    ),
    "owner": ("Besitzer", "Propriétaire", "Propietario", "Proprietario", "Eigenaar", "Proprietário"),
    "account_id": ("Potenzieller Kunde", "Client potentiel", "Cliente potencial", "Firma", "Compte", "Cuenta"),
    "currency": ("Währung", "Devise", "Divisa", "Moneda", "Valuta", "Moeda"),
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
