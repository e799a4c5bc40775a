"""What HubSpot's screen calls the columns of deals in other languages than English.

An export from the screen has its columns in the language of the user. Here are the labels of German, French, Spanish,
Italian, Portuguese and Dutch; compared without case, accents and signs.
"""

from __future__ import annotations

_LABELS = {
    "opportunity_id": (
        "Datensatz-ID, Objekt-ID, ID d'objet, ID de l'objet, ID de fiche d'informations, "
        "ID de la fiche d'informations, ID d'enregistrement, ID de registro, ID del registro, ID de objeto, ID record, "
        "ID oggetto, ID do registro, "
        "Record-ID"
    ),
    "stage_id": (
        "Deal-Phase, Dealphase, Phase de la transaction, Phase de transaction, Étape de la transaction, Etapa del "
        "negocio, Fase del negocio, Etapa de negocio, Fase dell'offerta, Fase della trattativa, Fase trattativa, Etapa "
        "do negócio, Fase do negócio, Dealfase, Deal-fase"
    ),
    "amount": "Betrag, Dealbetrag, Montant, Importe, Cantidad, Monto, Importo, Valor, Bedrag",
    "amount_home": (
        "Betrag in Unternehmenswährung, Betrag in der Unternehmenswährung, Montant dans la devise de l'entreprise, "
        "Montant en devise de l'entreprise, Importe en la moneda de la empresa, Cantidad en la moneda de la empresa, "
        "Monto en la moneda de la empresa, Importo nella valuta aziendale, Valor na moeda da empresa, Bedrag in "
        "bedrijfsvaluta"
    ),
    "currency": "Währung, Devise, Moneda, Divisa, Valuta, Moeda",
    "close_date": (
        "Abschlussdatum, Schlussdatum, Abschlusstermin, Date de fermeture, Date de clôture, Fecha de cierre, Data di "
        "chiusura, Data chiusura, Data de fechamento, Sluitingsdatum"
    ),
    "created_at": (
        "Erstelldatum, Erstellungsdatum, Erstellt am, Date de création, Fecha de creación, Data di creazione, Data "
        "creazione, Data de criação, Aanmaakdatum, Datum gemaakt"
    ),
    "is_closed": "Ist Deal geschlossen?, Ist geschlossen, Est fermée, Está cerrado, È chiuso",
    "is_won": (
        "Ist abgeschlossen und gewonnen, Abgeschlossen und gewonnen, Ist gewonnen, Est fermée et gagnée, Est conclue, "
        "Está cerrado ganado, Cerrado ganado"
    ),
    "is_lost": "Ist abgeschlossen und verloren, Abgeschlossen und verloren, Est perdue, Cerrado perdido",
    "probability": (
        "Deal-Wahrscheinlichkeit, Probabilité de la transaction, Probabilidad del negocio, Probabilità trattativa, "
        "Probabilidade do negócio, Dealwaarschijnlijkheid"
    ),
    "touched_at": (
        "Datum der letzten Änderung, Letztes Änderungsdatum, Zuletzt geändert, Date de dernière modification, Fecha "
        "de última modificación, Data dell'ultima modifica, Data ultima modifica, Data da última modificação, Datum "
        "laatst gewijzigd"
    ),
    "owner": (
        "Deal-Inhaber, Zuständiger Mitarbeiter, Deal-Verantwortlicher, Propriétaire de la transaction, Propietario del "
        "negocio, Proprietario dell'offerta, Proprietario della trattativa, Proprietário do negócio, Dealeigenaar"
    ),
    "type": "Deal-Typ, Type de transaction, Tipo de negocio, Tipo di trattativa, Tipo de negócio",
}


def labels(ours: str) -> tuple[str, ...]:
    """Return what screens in other languages call one of our columns.

    >>> labels("stage_id")[0]
    'Deal-Phase'
    """
    return tuple(label.strip() for label in _LABELS[ours].split(","))
