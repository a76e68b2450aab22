"""The style sheet and the script of report.html, inlined so that the page opens offline."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f6f6f4; --card: #ffffff; --ink: #1c1d21; --quiet: #6b6e76; --faint: #e4e4e0; --bad: #b42318;
  --shadow: 0 1px 2px rgb(0 0 0 / .05), 0 4px 16px rgb(0 0 0 / .04);
  --c0: #2563c9; --c1: #d9611e; --c2: #198754; --c3: #8a4fc7; --c4: #c2255c;
  --c5: #0c8599; --c6: #a07200; --c7: #5c6370;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131417; --card: #1c1e22; --ink: #e9e9ea; --quiet: #9a9da6; --faint: #30333a; --bad: #ff8a7a;
    --shadow: none;
    --c0: #6ea8fe; --c1: #ff9f5a; --c2: #4fcf8f; --c3: #c09bf0; --c4: #f2789f;
    --c5: #4fc8dc; --c6: #e0b64a; --c7: #a9afba;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 1200px; margin: 0 auto; padding: 40px 28px 64px; }
header p { margin: 0; color: var(--quiet); }
h1 { margin: 2px 0 4px; font-size: 34px; line-height: 1.15; letter-spacing: -.02em; font-weight: 680; }
h2 { margin: 44px 0 14px; font-size: 19px; letter-spacing: -.01em; font-weight: 640; }
h3 { margin: 0; font-size: 14px; font-weight: 620; }
.overline { text-transform: uppercase; letter-spacing: .09em; font-size: 11.5px; font-weight: 600; }
.card, .chart, .tiles > div, details { background: var(--card); border-radius: 12px; box-shadow: var(--shadow); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin-top: 26px; }
.tiles > div { padding: 14px 18px; }
.tiles dt { color: var(--quiet); font-size: 12.5px; }
.tiles dd { margin: 2px 0 0; font-size: 21px; line-height: 1.25; font-weight: 620; letter-spacing: -.01em; }
.tiles dd small { display: block; font-size: 12.5px; font-weight: 400; letter-spacing: 0; color: var(--quiet); }
.samples { padding: 18px; }
.samples > img { display: block; width: 100%; max-width: 880px; max-height: 90vh; object-fit: contain; margin: 0 auto; }
.samples > p { margin: 10px 0 0; text-align: center; color: var(--quiet); font-size: 13.5px; }
.strip { display: flex; justify-content: safe center; gap: 10px; margin-top: 16px; padding: 2px 2px 8px;
  overflow-x: auto; }
.strip button { flex: 1 1 0; min-width: 72px; max-width: 130px; padding: 0; border: 0; background: none;
  color: var(--quiet); font: inherit; font-size: 12px; cursor: pointer; }
.strip span { display: block; overflow: hidden; border-radius: 6px; margin-bottom: 4px; outline: 2px solid transparent;
  outline-offset: 1px; }
.strip img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; object-position: right top;
  transform: scale(2); transform-origin: right top; }
.strip [aria-pressed=true] { color: var(--ink); font-weight: 600; }
.strip [aria-pressed=true] span { outline-color: var(--c0); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); gap: 16px; }
.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); margin-top: 16px; }
.chart { margin: 0; padding: 16px 18px 10px; min-width: 0; }
.chart figcaption { display: flex; flex-wrap: wrap; gap: 2px 16px; align-items: baseline; margin-bottom: 8px; }
.chart svg { display: block; width: 100%; height: auto; }
.chart > p { margin: 0 0 4px; font-size: 12px; color: var(--quiet); }
.chart > p.bad { color: var(--bad); }
.legend { display: flex; flex-wrap: wrap; gap: 0 14px; margin: 0; padding: 0; list-style: none; font-size: 12.5px;
  color: var(--quiet); }
.legend b { color: var(--ink); font-weight: 600; }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; vertical-align: middle;
  margin-right: 6px; background: currentColor; }
svg text { fill: var(--quiet); font-size: 11.5px; }
.small svg text { font-size: 17px; }
svg .grid { stroke: var(--faint); }
svg .axis { stroke: var(--quiet); opacity: .6; }
svg path { fill: none; stroke: currentColor; stroke-linejoin: round; stroke-linecap: round; }
svg .raw { stroke-width: 1; opacity: .28; }
svg .smooth { stroke-width: 2; }
svg circle { fill: currentColor; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
.card { padding: 8px 18px; overflow-x: auto; }
.time { padding-bottom: 14px; }
.time p { margin: 8px 0 10px; color: var(--quiet); }
.time p b { color: var(--ink); font-size: 21px; font-weight: 620; letter-spacing: -.01em; margin-right: 4px; }
.bar { display: flex; gap: 2px; height: 16px; border-radius: 5px; overflow: hidden; margin-bottom: 12px; }
.bar i { flex: 0 1 0; min-width: 2px; background: currentColor; }
.time .legend i { width: 10px; height: 10px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 8px 18px 8px 0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-size: 12.5px; font-weight: 500; color: var(--quiet); }
td { border-top: 1px solid var(--faint); }
td b { font-weight: 640; }
td small { color: var(--quiet); font-size: 12.5px; }
details { margin-top: 12px; padding: 12px 18px; }
summary { cursor: pointer; font-weight: 600; }
.fields { columns: 330px; column-gap: 34px; margin: 14px 0 4px; }
.fields section { break-inside: avoid; margin: 0 0 18px; font-size: 13px; }
.fields h3 { font-size: 13px; }
.fields dl { margin: 4px 0 0; }
.fields dl > div { display: flex; justify-content: space-between; gap: 16px; padding: 3px 0;
  border-top: 1px solid var(--faint); }
.fields dt { color: var(--quiet); white-space: nowrap; }
.fields dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
footer { margin-top: 40px; color: var(--quiet); font-size: 12.5px; }
@media (max-width: 640px) { main { padding: 24px 14px 40px; } h1 { font-size: 27px; } }
@media print { body { background: none; } .strip { display: none; } }
"""

# Clicking an earlier grid shows it in the large place; arrow keys step through them.
SCRIPT = """
const large = document.getElementById("large"), caption = document.getElementById("caption");
const frames = [...document.querySelectorAll(".strip button")], newest = large?.src;
function show(index) {
  frames.forEach((frame, i) => frame.setAttribute("aria-pressed", i === index));
  large.src = frames[index + 1] ? frames[index].querySelector("img").src : newest;
  caption.textContent = frames[index].title;
}
frames.forEach((frame, i) => {
  frame.onclick = () => show(i);
  frame.onkeydown = event => {
    const next = frames[i + (event.key === "ArrowRight") - (event.key === "ArrowLeft")];
    if (next !== frame) next?.focus(), next?.click();
  };
});
"""
