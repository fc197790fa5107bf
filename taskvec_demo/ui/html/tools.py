"""The tools that keep and share an edit, as HTML. tools.js brings them to life."""

from __future__ import annotations


def tools_html() -> str:
    """A row of buttons, and the panels that two of them open."""
    off = {"aria_disabled": "true"}
    return (
        "<div class='tv-tools' role='toolbar' aria-label='Undo, keep and share'>"
        f"{_button('undo', '↶ <span>Undo</span>', 'Back to the recipe before (Ctrl+Z)', **off, aria_label='Undo')}"
        f"{_button('redo', '↷ <span>Redo</span>', 'Take undo back (Ctrl+Shift+Z)', **off, aria_label='Redo')}"
        f"{_button('history', 'History', 'Every recipe that you have tried', popovertarget='history-panel')}"
        f"{_button('pin', 'Pin', 'Keep this edit on the bars, to compare others with it', aria_pressed='false')}"
        f"{_button('copy-link', 'Copy link', 'A link that opens this recipe')}"
        f"{_button('export', 'Export', 'The recipe or the edited model as a file', popovertarget='export-panel')}"
        f"</div>{_history_panel()}{_export_panel()}<p class='tv-refused' popover='manual' role='alert'></p>"
    )


def _button(name: str, text: str, title: str, **attributes: str) -> str:
    more = "".join(f" {key.replace('_', '-')}='{value}'" for key, value in attributes.items())
    return f"<button type='button' id='{name}' title='{title}'{more}>{text}</button>"


def _history_panel() -> str:
    return (
        "<section id='history-panel' class='tv-popover' popover aria-label='Recipes that you have tried'>"
        "<h4>Recipes you have tried</h4><p class='tv-muted'>The newest first; click one to go back to it. "
        "The list lives as long as this page.</p><ol class='tv-tried'></ol></section>"
    )


def _export_panel() -> str:
    return (
        "<section id='export-panel' class='tv-popover' popover aria-label='Export and import'>"
        "<h4>The recipe</h4><p class='tv-muted tv-exported'></p>"
        "<div class='tv-tools'>"
        f"{_button('save-json', '↓ JSON', 'The recipe as this app, its API and its command line read it')}"
        f"{_button('save-yaml', '↓ YAML', 'The recipe in the form of mergekit: task_arithmetic')}"
        f"{_button('open-recipe', '↑ Open a recipe …', 'Read a recipe from a .json or .yaml file')}"
        "<input type='file' id='recipe-file' accept='.json,.yaml,.yml' hidden></div>"
        "<h4>The edited model</h4><p class='tv-muted'>A zip of a folder that <code>ClapModel.from_pretrained</code> "
        "loads: weights, processor, model card, and the recipe in both forms.</p>"
        "<div class='tv-tools'>"
        f"{_button('save-model', '↓ Model (zip)', 'Builds the edited checkpoint and saves it')}</div>"
        "<p class='tv-said' role='status'></p>"
        "<h4>Figures and tables in view</h4><ul class='tv-files'></ul></section>"
    )
