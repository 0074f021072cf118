//! The style of pictures: one style sheet for SVG, HTML and print.

/// The style sheet. It loads no font, image or other origin.
///
/// The three verdict colours are from the Okabe-Ito palette (blue-green, orange, vermilion) in two shades, one for each
/// colour scheme, so that people with colour blindness can distinguish them. Each colour has a mark beside it, and
/// edges also differ in their dashes.
pub(crate) const STYLE: &str = ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#8c959f;--node:#f6f8fa;--accept:#00694f;--defer:#8a5a00;--reject:#b03a00;--none:#57606a}
@media(prefers-color-scheme:dark){:root{--paper:#0f1318;--ink:#e6edf3;--soft:#9aa5b1;--line:#6e7781;--node:#1a2028;--accept:#3fc79a;--defer:#f0b23e;--reject:#ff8a4c;--none:#9aa5b1}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#333;--line:#666;--node:#fff;--accept:#00503c;--defer:#6b4600;--reject:#8a2d00;--none:#333}}
.picture text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--ink)}
.picture .paper{fill:var(--paper)}
.picture .title{font:600 11px system-ui,sans-serif;fill:var(--soft);letter-spacing:.04em}
.picture .edge-text{font:11px system-ui,sans-serif;fill:var(--soft)}
.picture .node{fill:var(--node);stroke:var(--line)}
.picture .edge{stroke:var(--line);stroke-width:1.5;fill:none}
.picture .weak{stroke-dasharray:7 4}
.picture .unasked{stroke-dasharray:1.5 5}
.picture .broken{stroke:var(--reject);stroke-width:4;stroke-dasharray:9 6}
.picture .why{font:600 11px system-ui,sans-serif;fill:var(--reject)}
.picture .cross{fill:var(--paper);stroke:var(--reject);stroke-width:2}
.picture .cross-mark{font:700 14px system-ui,sans-serif;fill:var(--reject);text-anchor:middle}
.picture .ghost{fill:none;stroke:var(--line);stroke-dasharray:3 3}
body.report{margin:0 auto;max-width:72rem;padding:1rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
.report h1{font-size:1.25rem;line-height:1.35;overflow-wrap:anywhere}
.report h2{font-size:1rem;margin:1.75rem 0 .5rem}
.report .mark{display:inline-block;min-width:1.4em;font-weight:700}
.report .accept{color:var(--accept)}.report .defer{color:var(--defer)}.report .reject{color:var(--reject)}.report .none{color:var(--none)}
.report .scroll{overflow-x:auto}
.report svg.picture{display:block;min-width:46rem;width:100%;height:auto}
.report pre,.report code,.report td{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px}
.report pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid var(--line);margin:0;padding:.25rem .75rem}
.report table{border-collapse:collapse;width:100%}
.report th,.report td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid color-mix(in srgb,var(--line) 35%,transparent);overflow-wrap:anywhere}
.report th{font-size:12px;color:var(--soft);font-weight:600}
.report .bar{display:block;width:100px;height:4px;margin-top:3px;fill:var(--defer)}
.report .timeline{table-layout:fixed;min-width:46rem}.report .timeline th:first-child{width:6rem}.report .timeline td:first-child{white-space:nowrap}
.report .refusal td{font-weight:700;border-left:4px solid var(--reject);padding-left:.5rem}
.report ul{margin:.25rem 0;padding-left:1.25rem}
.report summary{cursor:pointer}
.report .matched{font-weight:700;text-decoration:underline}
@media print{body.report{max-width:none;padding:0}.report .scroll{overflow:visible}.report svg.picture,.report .timeline{min-width:0}.report tr,.report svg{break-inside:avoid}.report details::details-content{content-visibility:visible}}
";
