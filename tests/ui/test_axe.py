"""axe-core finds nothing serious on any tab, in both themes. It comes with `npm ci`."""

from __future__ import annotations

import os

import pytest

from taskvec_demo.ui.studies.host import STUDIES, TAB
from tests.support.page_actions import box, tab, tabs
from tests.support.paths import ROOT

pytestmark = pytest.mark.browser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = """async (within) => {
  const { violations, passes } = await axe.run(within);
  const bad = violations.filter(({impact}) => impact === "serious" || impact === "critical");
  const why = ({any, all, none}) => [...any, ...all, ...none][0]?.message;
  return {
    serious: bad.flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.target.join(" ")}: ${why(node)}`)),
    contrasts: passes.find(({id}) => id === "color-contrast")?.nodes.length ?? 0,
  };
}"""
PALE = """() => {
  const text = document.createElement("p");
  text.id = "pale";
  text.textContent = "as pale as its ground";
  text.style = "color: #888; background: #999; position: relative; z-index: 2000";
  document.querySelector("#title").append(text);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_on_any_tab(new_visitor, theme):
    if not AXE.is_file():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs axe-core: run `npm ci`")
    visitor = new_visitor(color_scheme=theme)
    visitor.open({"urban": 0.5, "emotion": -0.6}, __theme=theme)
    assert visitor.page.evaluate("document.body.classList.contains('dark')") == (theme == "dark")
    visitor.page.evaluate(AXE.read_text(encoding="utf-8"))
    names = tabs(visitor)
    assert len(names) > 4
    for name in names:
        tab(visitor, name)
        visitor.at_rest()
        found = visitor.page.evaluate(SERIOUS, "body")
        assert found["serious"] == [], name
        assert found["contrasts"] > 50  # texts whose contrast it could tell
    tab(visitor, TAB)
    for view in STUDIES[1:]:
        tab(visitor, view.title)
        visitor.at_rest()
        assert visitor.page.evaluate(SERIOUS, "#studies")["serious"] == [], view.name
    tab(visitor, names[0])
    box(visitor, "op-analogy").check()
    visitor.page.wait_for_selector("#analogy-panel", state="visible")
    visitor.at_rest()
    visitor.page.evaluate(PALE)
    assert [line.split(":")[:2] for line in visitor.page.evaluate(SERIOUS, "body")["serious"]] == [
        ["color-contrast", " #pale"]
    ]
