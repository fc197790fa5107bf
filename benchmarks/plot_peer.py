"""The drag's peer: the same number of bars through `gr.Plot`, redrawn by the server at every `input` of a slider.

python plot_peer.py --port N --bars K
"""

from __future__ import annotations

import argparse

import gradio as gr
import numpy as np
import plotly.graph_objects as go


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bars", type=int, required=True, help="of each of the two models")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    before, slope = rng.uniform(0.2, 0.9, options.bars), rng.uniform(-0.2, 0.1, options.bars)
    names = [f"class {i}" for i in range(options.bars)]

    def figure(scaling_coef: float) -> go.Figure:
        after = before + scaling_coef * slope
        bars = [go.Bar(y=names, x=x, orientation="h", name=n) for n, x in (("before", before), ("after", after))]
        layout = go.Layout(title={"text": f"{scaling_coef:.2f}"}, barmode="group", height=16 * options.bars)
        return go.Figure(bars, layout)

    with gr.Blocks(analytics_enabled=False) as app:
        slider = gr.Slider(0, 1, 0.5, step=0.01, label="λ", elem_id="peer-slider")
        plot = gr.Plot(figure(0.5), elem_id="peer-plot")
        slider.input(figure, slider, plot, trigger_mode="always_last", show_progress="hidden")
    app.launch(server_name="127.0.0.1", server_port=options.port, ssr_mode=False, run_history=False)


if __name__ == "__main__":
    main()
