"""Results -> Plotly figures. Pure: no state, no I/O; backgrounds are transparent so that both themes work."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from .tasks import Task

GREY = "#8a8f98"
# Okabe & Ito's palette: distinguishable with every common colour vision.
COLOURS = ("#009E73", "#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#D55E00")


def curve_figure(
    axis: np.ndarray,
    curves: Mapping[str, np.ndarray],
    measured: Mapping[str, tuple[np.ndarray, np.ndarray]],
    tasks: Mapping[str, Task],
    vector: str,
    scaling_coef: float,
    error: Mapping[str, float],
) -> go.Figure:
    """Validation accuracy of each task along one vector's λ: estimated lines, measured points, the current λ.

    `axis` (p,) and each of `curves` (p,); `measured` holds (λ, accuracy) of points measured with this vector alone;
    `error` is each surface's mean absolute held-out error of the accuracy.
    """
    figure = go.Figure()
    for colour, (name, values) in zip(COLOURS, curves.items(), strict=False):
        task = tasks[name]
        figure.add_trace(
            go.Scatter(
                x=axis,
                y=100 * values,
                mode="lines",
                name=f"{task.title} ({task.role})",
                legendgroup=name,
                line={"color": colour, "width": 3 if task.role == "control" else 2},
                hovertemplate=f"{task.title}<br>λ = %{{x:.2f}}: %{{y:.0f}} % "
                f"(estimate ± {100 * error[name]:.1f})<extra></extra>",
            )
        )
        if name in measured:
            x, y = measured[name]
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=100 * y,
                    mode="markers",
                    name="measured",
                    legendgroup=name,
                    showlegend=False,
                    marker={"color": colour, "size": 6, "symbol": "circle-open"},
                    hovertemplate=f"{task.title}<br>λ = %{{x:.2f}}: %{{y:.0f}} % (measured)<extra></extra>",
                )
            )
    figure.add_vline(x=scaling_coef, line={"color": GREY, "dash": "dot", "width": 2})
    figure.update_layout(
        xaxis={
            "title": f"λ of τ {vector}",
            "zeroline": True,
            "zerolinecolor": GREY,
            "gridcolor": "rgba(138,143,152,.25)",
        },
        yaxis={"title": "validation accuracy, %", "range": [0, 101], "gridcolor": "rgba(138,143,152,.25)"},
        legend={"orientation": "h", "y": -0.25},
        margin={"l": 50, "r": 10, "t": 10, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "size": 13},
        height=380,
    )
    return figure
