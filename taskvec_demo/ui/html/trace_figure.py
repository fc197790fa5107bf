"""Results as Plotly figures. Pure functions. Backgrounds are transparent, so that both themes work."""

from __future__ import annotations

import plotly.graph_objects as go

from ...serve.trace import Trace

GREY = "#8a8f98"
GRID = "rgba(138,143,152,.25)"
# Okabe & Ito's palette: distinguishable with every common colour vision.
COLOURS = ("#009E73", "#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#D55E00")


def trace_figure(trace: Trace, current: float) -> go.Figure:
    """Probabilities of one clip along λ of one vector: its leading labels, where the answer flips, the current λ."""
    figure = go.Figure()
    for colour, label in zip(COLOURS, trace.leading, strict=False):
        figure.add_trace(
            go.Scatter(
                x=trace.scaling_coefs,
                y=100 * trace.probabilities[label],
                mode="lines",
                name=label,
                line={"color": colour, "width": 2},
                hovertemplate="%{fullData.name}<br>λ = %{x:.2f}: %{y:.0f} %<extra></extra>",
            )
        )
    for scaling_coef, before, after in trace.flips:
        figure.add_vline(x=scaling_coef, line={"color": GREY, "width": 1})
        figure.add_annotation(
            x=scaling_coef,
            y=100,
            text=f"{before} → {after}",
            textangle=-90,
            xanchor="right",
            yanchor="top",
            showarrow=False,
            font={"color": GREY, "size": 11},
        )
    figure.add_vline(x=current, line={"color": GREY, "dash": "dot", "width": 2})
    _style(figure, f"λ of τ {trace.vector}", "probability, %")
    return figure


def _style(figure: go.Figure, x_title: str, y_title: str) -> None:
    """The axes: λ to the right, percent upwards, on a transparent background."""
    figure.update_layout(
        xaxis={"title": x_title, "zeroline": True, "zerolinecolor": GREY, "gridcolor": GRID},
        yaxis={"title": y_title, "range": [0, 101], "gridcolor": GRID},
        legend={"orientation": "h", "y": -0.25},
        margin={"l": 50, "r": 10, "t": 40, "b": 40},  # top: room for the name in the corner
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "size": 13},
        height=410,
    )
