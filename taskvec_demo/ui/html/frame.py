"""The head of the page: title, skip link, and the three steps for who is here for the first time."""

from __future__ import annotations

TITLE = "<h1>Task arithmetic on CLAP</h1><p>Add or subtract hearing skills.</p>"
SKIP = "<a class='tv-skip' href='#controls'>Skip to the sliders</a>"
HELP = """
<button type='button' id='help' popovertarget='tv-steps' aria-label='Help: try this'>?</button>
<div id='tv-steps' class='tv-steps' popover role='dialog' aria-label='Try this'>
<h2>Try this</h2>
<ol>
<li><b>Drag a slider</b> on the left. It adds a skill to the model (right of 0) or takes it away (left of 0).</li>
<li><b>Watch the bars.</b> The bar of that task moves; the control should stay where it was.</li>
<li><b>Listen below.</b> Press ▶ to hear the clip, and read what the model calls it before and after.</li>
</ol>
<p>Then pick another story, or give it a sound of your own: “Change”. A “?” explains the words beside it.</p>
<button type='button' popovertarget='tv-steps' popovertargetaction='hide'>Close</button>
</div>
"""
