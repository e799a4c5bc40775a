"""What Salesforce's reports call the columns of opportunities in other languages than English.

A report prints its columns in the language of whoever exports it, and an administrator may rename them. Here are the
standard labels of German, French, Spanish, Italian, Portuguese and Dutch; compared without case, accents and signs.
"""

from __future__ import annotations

_LABELS = {
    "opportunity_id": (
        "ID de l'opportunité, ID d'opportunité, ID opportunité, Id. de oportunidad, Id. de la oportunidad, ID de la "
        "oportunidad, ID de oportunidad, ID opportunità, ID dell'opportunità, ID da oportunidade, Opportunity-ID"
    ),
    "name": (
        "Name der Opportunity, Opportunityname, Nom de l'opportunité, Nom d'opportunité, Nom opportunité, Nombre de la "
        "oportunidad, Nombre de oportunidad, Nome opportunità, Nome dell'opportunità, Nome da oportunidade, Naam van "
        "opportunity, Opportunitynaam, Naam opportunity"
    ),
    "stage": "Phase, Verkaufsphase, Étape, Etapa, Fase, Estágio, Stadium",
    "converted": (
        "Betrag (umgerechnet), Betrag (konvertiert), Montant (converti), Importe (convertido), Monto (convertido), "
        "Importo (convertito), Valor (convertido), Quantia (convertida), Bedrag (omgerekend), "
        "Bedrag (geconverteerd)"
    ),
    "amount": "Betrag, Montant, Importe, Monto, Importo, Ammontare, Quantia, Valor, Bedrag",
    "close_date": (
        "Schlusstermin, Abschlussdatum, Schlussdatum, Abschlusstermin, Date de clôture, Date de fermeture, Fecha de "
        "cierre, Data di chiusura, Data chiusura, Data de fechamento, Data do fechamento, Sluitingsdatum"
    ),
    "created_at": (
        "Erstelldatum, Erstellt am, Erstellungsdatum, Date de création, Créé le, Créée le, Fecha de creación, Fecha "
        "creación, Creado el, Data creazione, Data di creazione, Data de criação, Data da criação, Criado em, "
        "Aanmaakdatum, Gemaakt op, Datum gemaakt"
    ),
    "is_closed": (
        "Geschlossen, Abgeschlossen, Fermée, Fermé, Clôturée, Clôturé, Clos, Cerrada, Cerrado, Chiusa, Chiuso, "
        "Fechada, Fechado, Gesloten"
    ),
    "is_won": "Gewonnen, Gagnée, Gagné, Remportée, Ganada, Ganado, Vinta, Vinto, Ganha, Ganho, Conquistada",
    "touched_at": (
        "Letzte Änderung am, Datum der letzten Änderung, Letztes Änderungsdatum, Zuletzt geändert am, "
        "Date de dernière modification, Date de la dernière modification, Dernière modification le, Fecha de última "
        "modificación, Fecha de la última modificación, Última modificación, Data ultima modifica, Data dell'ultima "
        "modifica, Data da última modificação, Última modificação, Datum laatst gewijzigd, Laatst gewijzigd op"
    ),
    "owner": (
        "Opportunity-Inhaber, Inhaber der Opportunity, Opportunityinhaber, Propriétaire de l'opportunité, Propriétaire "
        "d'opportunité, Propietario de oportunidad, Propietario de la oportunidad, Titolare opportunità, Proprietario "
        "opportunità, Proprietário da oportunidade, Eigenaar opportunity"
    ),
    "account_id": (
        "Account-ID, Accountname, Account-Name, Nom du compte, Nombre de la cuenta, Nombre de cuenta, Nome account, "
        "Nome da conta, Accountnaam"
    ),
    "type": "Typ, Tipo",
    "lead_source": (
        "Lead-Quelle, Leadquelle, Origine de la piste, Origine du prospect, Source de la piste, Origen del prospecto, "
        "Origen del candidato, Fonte del lead, Origine lead, Origem do lead, Fonte do lead, Leadbron"
    ),
    "currency": (
        "Betrag Währung, Betragswährung, Währung von Betrag, Opportunity-Währung, Währung, Devise du montant, Devise "
        "de l'opportunité, Montant Devise, Devise, Moneda de importe, Divisa de importe, Divisa de la oportunidad, "
        "Divisa, Moneda, Valuta opportunità, Valuta, Moeda da oportunidade, Moeda, Moeda de Valor"
    ),
    "field": "Feld / Ereignis, Champ / Événement, Champ/événement, Campo / Evento, Campo/evento, Veld / gebeurtenis",
    "old": "Alter Wert, Ancienne valeur, Valor antiguo, Valor anterior, Vecchio valore, Valore precedente, Oude waarde",
    "value": "Neuer Wert, Nouvelle valeur, Valor nuevo, Nuevo valor, Nuovo valore, Novo valor, Nieuwe waarde",
    "edited_at": (
        "Bearbeitungsdatum, Datum der Bearbeitung, Date de modification, Fecha de edición, Fecha de modificación, Data "
        "di modifica, Data modifica, Data de edição, Bewerkingsdatum"
    ),
    "probability": (
        "Wahrscheinlichkeit (%), Wahrscheinlichkeit, Probabilité (%), Probabilité, Probabilidad (%), Probabilidad, "
        "Probabilità (%), Probabilità, Probabilidade (%), Probabilidade, Waarschijnlijkheid (%)"
    ),
}


def labels(ours: str) -> tuple[str, ...]:
    """Return what reports in other languages call one of our columns.

    >>> labels("stage")[0]
    'Phase'
    """
    return tuple(label.strip() for label in _LABELS[ours].split(","))
