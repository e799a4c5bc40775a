"""How the explorer's widgets are arranged, and the few looks they need in JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.reporting.explore import Explorer

_LOOKS = """<style>
.forecast-explorer .forecast-note { margin: .2em 0 .4em; line-height: 1.35; max-width: 46em; }
.forecast-explorer .forecast-note code { overflow-wrap: anywhere; }
.forecast-explorer .forecast-rows, .forecast-explorer .forecast-rows select, .forecast-explorer select.forecast-rows {
  font-family: var(--jp-code-font-family, monospace); font-size: 12.5px; white-space: pre; }
.forecast-explorer div.forecast-rows strong { padding-left: 4px; }
.forecast-explorer figure { margin: .4em 0 1em; }
.forecast-explorer figure p { margin: 0 0 .2em; line-height: 1.35; }
.forecast-explorer .finding p { margin: 0 0 .3em; line-height: 1.4; }
.forecast-explorer .finding .answer { font-size: 1.15em; font-weight: 600; }
.forecast-explorer .finding.note .answer { font-size: 1em; }
.forecast-explorer .source, .forecast-explorer .subtitle { color: var(--jp-ui-font-color2, #555); }
.forecast-explorer table { border-collapse: collapse; margin: .4em 0; }
.forecast-explorer th, .forecast-explorer td { padding: .2em .8em .2em 0; text-align: left; line-height: 1.3; }
.forecast-explorer .n { text-align: right; font-variant-numeric: tabular-nums; }
.forecast-explorer thead th { border-bottom: 1px solid var(--jp-border-color1, #bbb); }
.forecast-explorer caption { text-align: left; font-weight: 600; padding: .3em 0; }
</style>"""


def arranged(explorer: Explorer) -> Any:
    """Return all of an explorer's widgets as one: what is looked at above, three tabs below."""
    import ipywidgets as w

    wrap = w.Layout(flex_flow="row wrap")
    chosen = w.HBox([explorer.day, explorer.segment, explorer.product], layout=wrap)
    save = w.VBox([w.HBox([explorer.name, explorer.save], layout=wrap), explorer.saved])
    left = w.VBox([explorer.panel.view, save], layout=w.Layout(flex="0 1 370px", min_width="300px"))
    right = w.VBox([explorer.picture], layout=w.Layout(flex="1 1 420px", min_width="320px"))
    what_if = w.HBox([left, right], layout=w.Layout(flex_flow="row wrap", align_items="flex-start"))
    tabs = w.Tab([what_if, explorer.pipe, explorer.table.view], titles=["What if", "Pipeline", "Deals"])
    whole = w.VBox([w.HTML(_LOOKS), chosen, explorer.said, tabs])
    whole.add_class("forecast-explorer")
    return whole
