"""What columns of deals are called in the languages CRMs are used in; how like one of these a name is.

The names are data: more of them make more exports understood, and nothing else depends on them.
"""

from __future__ import annotations

import re

from rapidfuzz import fuzz, process

from forecast.data.sources.crm.values.stages import folded

SURE = 90.0
"""A name at least so like one of ours (0 to 100) is taken as meaning it, if its values allow it."""


_WHAT = "deal|opportunity|opp|potential|offer|angebot|affaire|transaction|negocio|trattativa"


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(words(name)) for name in text.split(",") if name.strip())


def words(name: str) -> list[str]:
    """Return the words of a column's name, small, without accents, and without `Deal - ` and the like before it."""
    bare = re.sub(r"^\s*(?:deal|opportunity|opp|lead|potential)s?\s+[-–:.]\s+", "", name, flags=re.IGNORECASE)
    humps = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)
    return re.findall(r"[^\W_]+", folded(humps))


NAMES: dict[str, tuple[str, ...]] = {
    "opportunity_id": _names(
        "id, no, nr, number, key, deal id, deal no, deal number, opportunity id, opportunity number, record id, "
        "reference, ref, code, datensatz id, case id, project id, quote number, nummer, angebotsnummer, angebots nr, "
        "vorgangsnummer, projektnummer, numero, identifiant, reference affaire, identificador, codigo, codice, "
        "numero trattativa, referentie, dealnummer, arendenummer, sagsnummer, numer, cislo, numara, номер, номер "
        "сделки, идентификатор, 案件番号, 番号"
    ),
    "created_on": _names(
        "created, created on, created at, created date, create date, creation date, date created, date added, date "
        "entered, date opened, added on, add time, entered, entered on, opened, opened on, open date, begun, begin "
        "date, started, start date, engage date, deal created, erstellt, erstellt um, erstellt am, angelegt am, "
        "anlagedatum, erstelldatum, erstellungsdatum, eingang, eingangsdatum, cree le, creee le, date de creation, "
        "creation, fecha de creacion, creado, creado el, alta, fecha de alta, creato il, data creazione, data di "
        "creazione, criado em, data de criacao, data criacao, aangemaakt, aangemaakt op, aanmaakdatum, skapad, "
        "skapad datum, oprettet, oprettelsesdato, opprettet, luotu, luontipaiva, utworzono, data utworzenia, "
        "vytvoreno, datum vytvoreni, olusturma tarihi, дата создания, создана, 作成日, 登録日"
    ),
    "expected_close_on": _names(
        "expected close, expected close date, expected closing, expected closing date, expected, expected on, est "
        "close date, estimated close date, estimated close, forecast close date, forecast date, target date, target "
        "close date, planned close, anticipated close date, deadline, erwartet, erwartet am, erwarteter abschluss, "
        "abschluss erwartet, voraussichtlicher abschluss, erwartetes abschlussdatum, voraussichtliches "
        "abschlussdatum, geplantes abschlussdatum, geplanter abschluss, date de cloture attendue, fecha de cierre "
        "esperada, cloture prevue, date de cloture prevue, date prevue, prevue le, cierre previsto, fecha prevista, "
        "fecha de cierre prevista, fecha estimada de cierre, chiusura prevista, data prevista, data chiusura "
        "prevista, fechamento previsto, previsao de fechamento, data prevista de fechamento, verwachte "
        "sluitingsdatum, verwachte afsluiting, forvantat avslut, forventet lukning, forventet avslutning, odotettu "
        "paatos, oczekiwana data zamkniecia, ocekavane uzavreni, beklenen kapanis tarihi, ожидаемая дата закрытия, "
        "плановая дата закрытия, 完了予定日, 予定日"
    ),
    "closed_on": _names(
        "closed, closed on, closed at, close date, closed date, closing date, date closed, close time, actual "
        "close date, deal closed on, ended, ended on, end date, decided on, decision date, abgeschlossen am, "
        "abschluss, abschlussdatum, abschluss am, geschlossen am, entschieden am, cloture le, date de cloture, "
        "fermee le, date de fermeture, fecha de cierre, cerrado el, cierre, data chiusura, data di chiusura, "
        "chiusa il, fechado em, data de fechamento, data fechamento, gesloten op, sluitingsdatum, afgesloten op, "
        "avslutad, avslutsdatum, lukket, lukkedato, avsluttet, suljettu, paattynyt, data zamkniecia, zamknieto, "
        "uzavreno, datum uzavreni, kapanis tarihi, дата закрытия, закрыта, 完了日, 終了日"
    ),
    "won_on": _names(
        "won time, won on, won date, date won, won at, gewonnen am, gagne le, gagnee le, ganado el, fecha ganado, "
        "vinto il, vinta il, ganho em, data ganho, gewonnen op, vunnen datum, vundet dato, datum vyhry, wygrano, "
        "受注日"
    ),
    "lost_on": _names(
        "lost time, lost on, lost date, date lost, lost at, verloren am, perdu le, perdue le, perdido el, fecha "
        "perdido, perso il, persa il, perdido em, data perdido, verloren op, forlorad datum, tabt dato, datum "
        "prohry, przegrano, 失注日"
    ),
    "touched_on": _names(
        "modified, modified on, modified date, modified time, last modified, last modified date, updated, updated "
        "on, updated at, update time, last update, last updated, changed on, last change, geandert am, zuletzt "
        "geandert, letzte anderung, anderungsdatum, modifie le, modifiee le, derniere modification, modificado, "
        "modificado el, ultima modificacion, modificato il, ultima modifica, modificado em, ultima atualizacao, "
        "atualizado em, gewijzigd op, laatst gewijzigd, andrad, senast andrad, sidst aendret, endret, muokattu, "
        "data modyfikacji, zmieniono, zmeneno, degistirme tarihi, дата изменения, изменена, 更新日"
    ),
    "amount": _names(
        "amount, value, deal value, deal amount, opportunity amount, revenue, price, total, total value, worth, "
        "sum, contract value, order value, deal size, acv, tcv, arr, betrag, wert, auftragswert, umsatz, volumen, "
        "auftragsvolumen, angebotswert, summe, preis, montant, valeur, chiffre d affaires, prix, importe, monto, "
        "valor, valor del negocio, precio, importo, valore, valore trattativa, prezzo, valor do negocio, bedrag, "
        "waarde, omzet, prijs, belopp, varde, ordervarde, belob, vaerdi, belop, verdi, summa, arvo, kwota, "
        "wartosc, castka, hodnota, tutar, deger, osszeg, сумма, стоимость, 金額, 売上"
    ),
    "stage": _names(
        "stage, stage name, deal stage, sales stage, pipeline stage, current stage, current pipeline stage, milestone, "
        "status label, phase, step, sales phase, verkaufsphase, "
        "vertriebsphase, schritt, stufe, etape, etape de vente, etapa, etapa de venta, fase, fase de venta, fase "
        "vendita, etapa do funil, stadium, verkoopfase, steg, saljfas, trin, salgsfase, vaihe, etap, faza, faze, "
        "asama, этап, стадия, воронка, フェーズ, 段階"
    ),
    "outcome": _names(
        "status, state, outcome, result, deal status, status type, won lost, ergebnis, stand, zustand, ausgang, "
        "statut, resultat, issue, etat, estado, resultado, stato, esito, situacao, situacion, resultaat, toestand, "
        "utfall, tilstand, tulos, wynik, stav, vysledek, durum, sonuc, статус, результат, 状態, 結果"
    ),
    "currency": _names(
        "currency, currency code, currency of value, deal currency, wahrung, waehrung, devise, monnaie, moneda, "
        "divisa, valuta, moeda, valuutta, waluta, mena, para birimi, валюта, 通貨"
    ),
    "segment": _names(
        "segment, region, sales region, territory, area, sales area, market, office, regional office, branch, "
        "business unit, division, gebiet, vertriebsgebiet, niederlassung, standort, region commerciale, secteur, "
        "agence, zona, territorio, oficina, regione, area di vendita, filiale, regiao, territorio de vendas, "
        "regio, gebied, kantoor, omrade, distrikt, alue, regiony, oblast, kraj, bolge, регион, филиал, 地域, "
        "エリア"
    ),
    "owner": _names(
        "owner, deal owner, opportunity owner, sales rep, sales agent, salesperson, rep, assigned to, assigned "
        "user, account manager, account executive, responsible, verantwortlich, verantwortlicher, "
        "verantwortliche, betreuer, besitzer, zustandig, vertriebler, verkaufer, bearbeiter, proprietaire, "
        "commercial, responsable, vendeur, propietario, vendedor, comercial, proprietario, venditore, "
        "commerciale, responsavel, eigenaar, verkoper, agare, saljare, ejer, saelger, selger, eier, myyja, "
        "omistaja, wlasciciel, handlowiec, vlastnik, obchodnik, sahibi, ответственный, менеджер, 担当者"
    ),
    "account_id": _names(
        "account, account name, account id, customer, customer name, company, company name, client, organization, "
        "organisation, kunde, kundenname, firma, unternehmen, societe, entreprise, compte, cliente, empresa, "
        "cuenta, azienda, conta, klant, bedrijf, kund, foretag, virksomhed, bedrift, asiakas, yritys, klient, "
        "zakaznik, musteri, клиент, компания, 顧客, 顧客名, 会社名"
    ),
    "type": _names("deal type, opportunity type, business type, type of business, typ des geschafts, geschaftsart"),
    "lead_source": _names(
        "lead source, source, deal source, source channel, lead channel, origin, herkunft, quelle, leadquelle, "
        "source du lead, origine, provenance, fuente, origen, fuente del lead, fonte, origem, bron, leadbron, "
        "kalla, kilde, lahde, zrodlo, zdroj, kaynak, источник, リードソース"
    ),
    "product": _names(
        "product, product name, produkt, artikel, produit, producto, prodotto, produto, tuote, urun, продукт, "
        "商品, 製品"
    ),
    "lost_reason": _names(
        "lost reason, loss reason, reason lost, reason for loss, verlustgrund, absagegrund, raison de perte, "
        "motif de perte, motivo de perdida, razon de perdida, motivo perdita, motivo da perda, reden verlies, "
        "verliesreden, forlustorsak, tabsarsag, powod przegranej, duvod prohry, причина отказа, 失注理由"
    ),
}

OTHER_NUMBERS = frozenset(
    _names(
        "weighted, gewichtet, gewichteter, pondere, ponderee, ponderado, ponderata, gewogen, viktat, probability, "
        "prob, wahrscheinlichkeit, probabilite, probabilidad, probabilita, probabilidade, kans, sannolikhet, "
        "sandsynlighed, chance, discount, rabatt, remise, descuento, sconto, desconto, korting, cost, costs, "
        "kosten, cout, costo, custo, margin, marge, margen, margine, tax, vat, mwst, tva, iva, btw, score, "
        "quantity, qty, menge, quantite, cantidad, quantita, quantidade, aantal, antal, days, tage, jours, dias, "
        "giorni, dagen, age, alter, duration, dauer, percent, prozent, id, number, count, year, month, quarter, "
        "phone, zip"
    )
)
"""Words of columns of numbers that are no amount of a deal."""


def likeness(name: str, ours: str) -> float:
    """Return how like one of the names of our column a name is, 0 to 100."""
    return best_likeness(name, NAMES[ours])


def best_likeness(name: str, known: tuple[str, ...]) -> float:
    """Return how like the most similar of the known names (folded) a name is, 0 to 100; the order of words is free."""
    text = " ".join(words(name))
    if not text:
        return 0.0
    if text in known:
        return 100.0
    bare = re.sub(rf"^(?:{_WHAT}) (?=.)", "", text)
    if bare in known:
        return 100.0
    found = process.extractOne(text, known, scorer=fuzz.token_sort_ratio)
    # Short words are alike by chance: `Step` and `Stop` differ in one letter of four.
    return float(found[1]) if found and len(text) > 5 else min(float(found[1]) if found else 0.0, SURE - 1)
