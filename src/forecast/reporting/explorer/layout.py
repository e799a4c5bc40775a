"""How the explorer's widgets are arranged, and the few looks they need in JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.reporting.explorer.explorer import Explorer

_LOOKS = """<style>
.forecast-explorer .forecast-note { margin: .2em 0 .4em; line-height: 1.35; max-width: 52em; }
.forecast-explorer .forecast-note code { overflow-wrap: anywhere; }
.forecast-explorer .forecast-rows, .forecast-explorer .forecast-rows select {
  font-family: var(--jp-code-font-family, monospace); font-size: 12.5px; white-space: pre; }
.forecast-explorer div.forecast-rows > strong { padding-left: 5px; }
.forecast-explorer figure { margin: .2em 0 1.2em; }
.forecast-explorer figure p { margin: 0 0 .2em; line-height: 1.35; }
.forecast-explorer .finding p { margin: 0 0 .3em; line-height: 1.4; }
.jp-OutputArea .forecast-explorer .finding .answer { font-size: 1.1em; font-weight: 600; }
.forecast-explorer .finding.note .answer { font-size: 1em; }
.forecast-explorer .source, .forecast-explorer .subtitle { color: var(--jp-ui-font-color2, #555); }
.forecast-explorer table { border-collapse: collapse; margin: .4em 0; }
.forecast-explorer th, .forecast-explorer td { padding: .2em 1em .2em 0; text-align: left; line-height: 1.3; }
.forecast-explorer th.n, .forecast-explorer td.n { text-align: right; font-variant-numeric: tabular-nums; }
.forecast-explorer thead th { border-bottom: 1px solid var(--jp-border-color1, #bbb); }
.forecast-explorer caption { text-align: left; font-weight: 600; padding: .3em 0; }
.jp-OutputArea .forecast-explorer .cards { gap: .3em 1.4em; margin: .2em 0 .6em; }
.jp-OutputArea .forecast-explorer .card dt { font-weight: 400; line-height: 1.3; }
.jp-OutputArea .forecast-explorer .card .value { font-size: 1.1em; line-height: 1.4; }
.forecast-explorer .notes p { margin: 0; }
.forecast-explorer .notes ul { margin: .1em 0 .4em; padding-left: 1.4em; }
.forecast-explorer .notes li { line-height: 1.45; }
.forecast-explorer .forecast-picture { container-type: inline-size; }
@container (max-width: 620px) {
  .chart.both .plot.wide { display: none; }
  .chart.both .plot.narrow { display: block !important; }
  .plot.narrow svg { width: 100%; max-width: 440px !important; }
}
</style>"""


def arranged(explorer: Explorer) -> Any:
    """Return all of an explorer's widgets as one: what is looked at above, three tabs below."""
    import ipywidgets as w

    wrap = w.Layout(flex_flow="row wrap")
    for box in (explorer.day, explorer.segment, explorer.product):
        box.layout = w.Layout(width="215px")
    chosen = w.HBox([explorer.day, explorer.segment, explorer.product], layout=wrap)
    save = w.VBox([w.HBox([explorer.name, explorer.save], layout=wrap), explorer.saved])
    left = w.VBox([explorer.panel.view, save], layout=w.Layout(flex="0 0 385px"))
    right = w.VBox([explorer.picture], layout=w.Layout(flex="1 1 420px", min_width="320px"))
    right.add_class("forecast-picture")
    what_if = w.HBox([left, right], layout=w.Layout(flex_flow="row wrap", align_items="flex-start"))
    tabs = w.Tab([what_if, explorer.pipe, explorer.table.view], titles=["What if", "Pipeline", "Deals"])
    whole = w.VBox([w.HTML(_LOOKS), chosen, explorer.said, tabs])
    whole.add_class("forecast-explorer")
    return whole
