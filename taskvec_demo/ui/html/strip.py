"""The strip of the clip: a player, and both models' answers. strip.js fills it in."""

from __future__ import annotations

from .words import help_html

STRIP = f"""
<div class='tv-strip' aria-busy='true'>
<button type='button' class='tv-play' aria-label='Play the clip'>▶</button>
<canvas class='tv-wave' aria-hidden='true'></canvas>
<button type='button' class='tv-clip-button' title='Upload, record or pick another clip'
aria-expanded='false' aria-controls='clip-panel'><span
class='tv-clip-name'>No clip</span><small>Change</small></button>
<div class='tv-answers' role='status' aria-live='off'>
<div class='tv-answer'><small>Before</small><b class='tv-before'>…</b><span></span><em></em></div>
<i aria-hidden='true'>→</i>
<div class='tv-answer tv-now'><small>After</small><b class='tv-after'>…</b><span></span><em></em></div>
</div>
<p class='tv-summary'></p>
<span class='tv-badge tv-none'>loading</span>{help_html("clip")}
</div>
"""
