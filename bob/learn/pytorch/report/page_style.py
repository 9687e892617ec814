"""The frame of every page: style sheet, sections, and a few lines of JavaScript.

Everything can be read without the script: it adds sorting of the table of systems and
boxes that hide systems in the pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.printing import in_markup

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLE = """\
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --soft: #5a6068;
  --rule: #d5d9de; --wash: #f4f6f8; --link: #0057a8; --guide: #6b7178; --shade: #0003;
  --c0: #00318b; --c1: #c65300; --c2: #177456; --c3: #c66ea9; --c4: #4a2f04;
  --c5: #4f8fff; --c6: #1c1e21; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e8eaed; --soft: #a6adb5; --rule: #3a4048;
    --wash: #1e2328; --link: #8cc4ff; --guide: #8d959e; --shade: #fff3;
    --c0: #749dff; --c1: #ff7456; --c2: #59f2a4; --c3: #b65987; --c4: #f0d52e;
    --c5: #a9b8da; --c6: #f4f4f4; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; margin: 0;
  color: var(--ink); background: var(--paper); }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .3rem .6rem; }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
main { padding-bottom: 2rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 1.5rem 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .6rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 1.2rem 0 .4rem; overflow-wrap: anywhere; }
p, ul, dl { max-width: 48rem; }
.about, .note, figcaption, .empty { color: var(--soft); }
.note, figcaption, .notes { font-size: .88rem; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: 0;
  margin: .8rem 0 0; list-style: none; max-width: none; }
nav a { display: inline-block; padding: .3rem 0; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
/* A shadow at a side says that there is more: it stays, the paper scrolls over it. */
.wide { overflow-x: auto; max-width: 100%; margin: .5rem 0;
  background:
    linear-gradient(to right, var(--paper) 40%, transparent) left / 2.5rem 100%,
    linear-gradient(to left, var(--paper) 40%, transparent) right / 2.5rem 100%,
    linear-gradient(to right, var(--shade), transparent) left / 1rem 100%,
    linear-gradient(to left, var(--shade), transparent) right / 1rem 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
table { border-collapse: separate; border-spacing: 0; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .65rem; text-align: right; vertical-align: top;
  white-space: nowrap; border-bottom: 1px solid var(--rule); }
thead th { border-bottom: 2px solid var(--guide); vertical-align: bottom;
  white-space: normal; font-weight: 600; }
th.words, td.words { text-align: left; white-space: normal; overflow-wrap: anywhere;
  min-width: 9rem; max-width: 26rem; }
tbody th { font-weight: 600; position: sticky; left: 0;
  background: var(--paper) padding-box; }
tbody tr:hover, tbody tr:hover th { background-color: var(--wash); }
.range { display: block; font-weight: 400; color: var(--soft); font-size: .88em; }
th button { font: inherit; font-weight: 600; color: inherit; background: none;
  border: 0; padding: 0; cursor: pointer; text-align: inherit; white-space: nowrap; }
th button::after { content: " \\2195"; color: var(--soft); font-weight: 400; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.pictures { display: grid; gap: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
figure { margin: 0; max-width: 36rem; min-width: 0; }
figure h3 { margin-top: 0; }
figure > svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--ink); font-size: 13px; font-family: inherit; }
svg .label { fill: var(--soft); }
.grid { stroke: var(--rule); stroke-width: 1; fill: none; }
.frame { stroke: var(--guide); fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.thin { stroke-width: .9; }
.area { stroke: none; fill-opacity: .22; }
.mark { fill: var(--paper); stroke-width: 2; }
.tag circle { fill: var(--paper); stroke-width: 1.5; }
.tag text { font-size: 11px; }
.guide { stroke: var(--guide); } .area.guide { fill: var(--guide); }
.c0 { stroke: var(--c0); } .area.c0 { fill: var(--c0); }
.c1 { stroke: var(--c1); } .area.c1 { fill: var(--c1); }
.c2 { stroke: var(--c2); } .area.c2 { fill: var(--c2); }
.c3 { stroke: var(--c3); } .area.c3 { fill: var(--c3); }
.c4 { stroke: var(--c4); } .area.c4 { fill: var(--c4); }
.c5 { stroke: var(--c5); } .area.c5 { fill: var(--c5); }
.c6 { stroke: var(--c6); } .area.c6 { fill: var(--c6); }
.line.guide { stroke-width: 1.2; }
.area { stroke: none !important; }
g[data-system]:hover .line { stroke-width: 3.5; }
.hidden { display: none; }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap;
  gap: .15rem 1.2rem; max-width: none; font-size: .92rem; margin: .4rem 0 .9rem; }
.legend li, .legend label { display: flex; align-items: center; gap: .4rem; }
.legend li { overflow-wrap: anywhere; min-height: 1.6rem; }
.legend.systems { display: grid;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
.legend button { font: inherit; padding: .1rem .7rem; }
.swatch { width: 34px; height: 10px; flex: none; }
.sign { width: 16px; height: 16px; flex: none; }
details { border: 1px solid var(--rule); border-radius: .4rem; margin: .5rem 0;
  padding: 0 .8rem; }
summary { cursor: pointer; padding: .5rem 0; font-weight: 600;
  overflow-wrap: anywhere; }
details[open] { padding-bottom: .8rem; }
td.sound { min-width: 15.5rem; }
audio { width: 14rem; height: 2.1rem; display: block; margin-top: .2rem; }
td.words code { font-size: .86rem; }
dl.facts { display: grid; grid-template-columns: minmax(7rem, 11rem) 1fr;
  gap: .3rem 1rem; max-width: none; margin: .4rem 0; }
dl.facts dt { font-weight: 600; font-size: .92rem; }
dl.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; white-space: pre-wrap;
  font: .86rem/1.5 ui-monospace, monospace; }
dl.plain dd { font: inherit; font-size: .92rem; }
footer { color: var(--soft); font-size: .88rem; padding-bottom: 2rem; }
footer code, .about code { overflow-wrap: anywhere; }
@media (max-width: 36rem) {
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd { margin-bottom: .6rem; }
  th, td { padding: .3rem .45rem; }
  th.words, td.words { min-width: 8rem; max-width: 10rem; }
  svg text { font-size: 16px; }
  .small svg text { font-size: 14px; }
  td.words.sound { min-width: 13.5rem; max-width: 14rem; }
  audio { width: 12.5rem; } }
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --wash: #fff;
    --link: #000; --guide: #555; --c0: #00318b; --c1: #c65300; --c2: #177456;
    --c3: #c66ea9; --c4: #4a2f04; --c5: #4f8fff; --c6: #000; }
  @page { margin: 15mm; }
  body { font-size: 9.5pt; }
  header, main, footer { max-width: none; padding: 0; }
  nav, audio, .skip, .legend input, .legend button { display: none; }
  .wide { overflow: visible; background: none; }
  table { font-size: 7.5pt; }
  th, td { padding: .15rem .3rem; }
  th button::after { content: none !important; }
  th.words, td.words { min-width: 7em; max-width: none; }
  .pictures { grid-template-columns: 1fr 1fr; }
  .note, figcaption, .notes, .legend { font-size: 8pt; }
  dl.facts dt { font-size: 8pt; }
  dl.facts dd { font-size: 7.5pt; }
  figure, tr { break-inside: avoid; }
  h2, h3, summary, .legend { break-after: avoid; } }
"""

_SCRIPT = """\
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => row.cells[column].dataset.value ?? "";
      const numeric = !head.classList.contains("words");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = numeric ? x - y : x.localeCompare(y);
        return up ? order : -order;
      });
      body.append(...rows);
    });
  });
}
const legend = document.querySelector(".legend li[data-system]")?.parentElement;
const several = legend?.children.length > 1;
for (const item of several ? [...legend.children] : []) {
  const box = document.createElement("input");
  const label = document.createElement("label");
  box.type = "checkbox";
  box.checked = true;
  label.append(box, ...item.childNodes);
  item.append(label);
  box.addEventListener("change", () => {
    const chosen = `svg [data-system="${item.dataset.system}"],`
      + `figure[data-system="${item.dataset.system}"]`;
    for (const part of document.querySelectorAll(chosen))
      part.classList.toggle("hidden", !box.checked);
  });
}
if (several) {
  const item = document.createElement("li");
  for (const [text, on] of [["All", true], ["None", false]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => {
      for (const box of legend.querySelectorAll("input"))
        if (box.checked !== on) box.click();
    });
    item.append(button);
  }
  legend.append(item);
}
for (const player of document.querySelectorAll("audio"))
  player.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio"))
      if (other !== player) other.pause();
  });
let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details:not([open])")];
  for (const part of unfolded) part.open = true;
});
window.addEventListener("afterprint", () => {
  for (const part of unfolded) part.open = false;
});
"""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#{first}">To the figures</a>
<header>
<h1>{title}</h1>
<p class="about">{about}</p>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main>
{body}
</main>
<footer><p>Made by <code>{made_by}</code> of bob.learn.pytorch.</p></footer>
<script>
{script}</script>
</body>
</html>
"""


def document(
    *,
    title: str,
    about: str,
    sections: Sequence[tuple[str, str, str]],
    made_by: str,
) -> str:
    """Return a whole page, which needs no other file, made by a command.

    Sections are identifier, heading and content in HTML; those without content are
    left out.
    """
    sections = [section for section in sections if section[2]]
    links = "".join(
        f'<li><a href="#{key}">{in_markup(heading)}</a></li>'
        for key, heading, _ in sections
    )
    body = "\n".join(
        f'<section id="{key}" aria-labelledby="{key}-heading">\n'
        f'<h2 id="{key}-heading">{in_markup(heading)}</h2>\n{content}\n</section>'
        for key, heading, content in sections
    )
    text = _PAGE.format(
        title=in_markup(title),
        about=in_markup(about),
        first=sections[0][0],
        links=links,
        body=body,
        style=STYLE,
        script=_SCRIPT,
        made_by=made_by,
    )
    # File names may hold bytes that are not UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")
