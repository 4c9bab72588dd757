"""The pages' style sheet: light and dark by the reader's setting, nothing fetched, nothing inline in the markup.

``CSS`` is of every page, ``LIVE_CSS`` of what only those have that a server gives.
"""

from __future__ import annotations

__all__ = ["CSS", "LIVE_CSS"]

CSS = """
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--ink:#172033;--soft:#5b6677;--line:#e1e5eb;--grid:#edf0f4;
--prod:#2f6fde;--shadow:#d9601a;--good:#17855a;--goodbg:#e5f5ee;--open:#8f6200;--openbg:#fdf3dc;--bad:#c0332f;--badbg:#fdeae8;
--stable:#3aa57a;--transitional:#e2a63b;--critical:#d9534a;--only:#2f6fde22;--new:#d9601a26}
@media(prefers-color-scheme:dark){:root{--bg:#0e131a;--card:#161d27;--ink:#e6ebf2;--soft:#93a0b3;--line:#273140;--grid:#202938;
--prod:#74a7ff;--shadow:#ff9a5a;--good:#58d19c;--goodbg:#12302a;--open:#f0c264;--openbg:#332a14;--bad:#ff8f87;--badbg:#3a1d1d;
--stable:#3fae82;--transitional:#d69a32;--critical:#d65c54;--only:#74a7ff33;--new:#ff9a5a33}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue","Noto Sans","DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%;overflow-wrap:anywhere}
main{max-width:1180px;margin:0 auto;padding:28px 22px 48px}
header{display:flex;flex-wrap:wrap;gap:4px 18px;align-items:baseline;margin-bottom:14px}
h1{font-size:22px;margin:0;letter-spacing:-.01em}h1 b{color:var(--shadow)}
h2{font-size:18px;margin:34px 0 12px}h3{font-size:14px;margin:0 0 8px;font-weight:600}
.soft{color:var(--soft)}.num{font-variant-numeric:tabular-nums}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 18px;margin:0 0 14px}
.account{display:grid;grid-template-columns:auto 1fr;gap:4px 14px;align-items:baseline}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:13px}
.pill{display:inline-block;border-radius:999px;padding:1px 10px;font-weight:600;font-size:13px;white-space:nowrap}
.good{color:var(--good);background:var(--goodbg)}.open{color:var(--open);background:var(--openbg)}
.bad{color:var(--bad);background:var(--badbg)}
.verdict{border-left:6px solid var(--soft)}
.verdict.v-good{border-left-color:var(--good)}.verdict.v-open{border-left-color:var(--open)}
.verdict.v-bad{border-left-color:var(--bad)}
.verdict>p{margin:0 0 10px}.decision{font-size:20px;font-weight:700;letter-spacing:.02em;margin-right:10px}
.v-good .decision{color:var(--good)}.v-open .decision{color:var(--open)}.v-bad .decision{color:var(--bad)}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:5px 12px 5px 0;vertical-align:top;
border-top:1px solid var(--grid)}tr:first-child>td,tr:first-child>th{border-top:0}th{font-weight:600;white-space:nowrap}
.rules td:first-child{width:1%;white-space:nowrap}.rules td:nth-child(2){width:1%;white-space:nowrap;font-weight:600}
.paths td{overflow-wrap:anywhere;max-width:320px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:14px;margin-bottom:14px}
.tiles .card{margin:0;padding:12px 16px}.tile-name{color:var(--soft);font-size:13px}
.tile-value{font-size:25px;font-weight:650;letter-spacing:-.02em;line-height:1.25}.tile-more{color:var(--soft);font-size:12.5px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));gap:14px;margin-bottom:14px}.two>.card{margin:0}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:12px}.middle{text-anchor:middle}.end{text-anchor:end}
svg .label{font-weight:600;
paint-order:stroke;stroke:var(--card);stroke-width:3px}
line.grid{stroke:var(--grid)}line.strong{stroke:var(--soft);stroke-dasharray:2 4;opacity:.7}
line.axis{stroke:var(--soft);opacity:.6}rect.stable{fill:var(--stable)}rect.transitional{fill:var(--transitional)}
rect.critical{fill:var(--critical)}line.target{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:5 4}
text.target{fill:var(--bad)}
line.floor{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:1 3}text.floor{fill:var(--soft)}
line.mean{stroke:var(--ink);stroke-width:2}text.mean{fill:var(--ink)}
.curve{fill:none;stroke-width:2.4;stroke-linejoin:round}polyline.prod{stroke:var(--prod)}
polyline.shadow{stroke:var(--shadow)}
circle.prod{fill:var(--prod)}circle.shadow{fill:var(--shadow)}text.prod{fill:var(--prod)}text.shadow{fill:var(--shadow)}
.dot{stroke:var(--card);stroke-width:2}
.key{display:flex;flex-wrap:wrap;gap:2px 16px;color:var(--soft);font-size:13px;margin-top:6px}
.key i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
i.stable{background:var(--stable)}i.transitional{background:var(--transitional)}i.critical{background:var(--critical)}
i.prod{background:var(--prod)}i.shadow{background:var(--shadow)}
details.pair{padding:0}details.pair>summary{cursor:pointer;padding:11px 18px;display:flex;flex-wrap:wrap;gap:4px 12px;
align-items:baseline;list-style:none}details.pair>summary::-webkit-details-marker{display:none}
details.pair>summary::before{content:"\\25B8";color:var(--soft)}details.pair[open]>summary::before{content:"\\25BE"}
.question{font-weight:600;overflow-wrap:anywhere;unicode-bidi:isolate;flex:1 1 280px}
.hash{overflow-wrap:anywhere;color:var(--soft);font-size:12px}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(360px,100%),1fr));gap:0;
border-top:1px solid var(--grid)}
.side{padding:12px 18px 14px;min-width:0}.case{padding:12px 18px}.side+.side{border-left:1px solid var(--grid)}
.side h4{margin:0 0 6px;font-size:13px}.side.prod h4 b{color:var(--prod)}.side.shadow h4 b{color:var(--shadow)}
.answer{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;margin:0}
.prod mark{background:var(--only)}.shadow mark{background:var(--new)}mark{color:inherit;border-radius:3px;padding:0 1px}
caption{text-align:left;font-weight:600;padding-bottom:6px;font-size:14px}
.wide{overflow-x:auto;max-width:100%}.wide td,.wide th{white-space:nowrap}.wide table{min-width:100%;width:auto}
.wide table+table{margin-top:12px}.wide .wrap td{white-space:normal}
footer{color:var(--soft);font-size:13px;margin-top:26px}
@media(max-width:820px){.side+.side{border-left:0;border-top:1px solid var(--grid)}}
@media print{body{background:#fff}.card{break-inside:avoid}}
"""

LIVE_CSS = """
a{color:var(--prod)}:focus-visible{outline:3px solid var(--prod);outline-offset:2px;border-radius:4px}
main:focus{outline:0}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:12px;background:var(--card);padding:6px 12px;z-index:9}
.bar{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:center;margin:0 0 14px}
.live{margin-left:auto;font-size:13px}.live::before{content:"";display:inline-block;width:8px;height:8px;border-radius:50%;
background:var(--soft);margin-right:6px}.live[data-state=live]::before{background:var(--stable)}
.live[data-state=lost]::before{background:var(--critical)}
h1 a{color:inherit;text-decoration:none}.case:empty{display:none}.pair>.sides{border-top:0}
summary{cursor:pointer}.verdict summary{padding:4px 0}
.tab{padding:4px 12px;border:1px solid var(--line);border-radius:999px;background:var(--card);text-decoration:none;
color:var(--ink)}.tab[aria-current]{border-color:var(--ink);font-weight:600}
td.right,th.right{text-align:right}.wide td.text{white-space:normal;min-width:220px;overflow-wrap:anywhere}
form.filter{display:flex;flex-wrap:wrap;gap:8px 12px;align-items:end;margin-bottom:12px}
label{font-size:13px;color:var(--soft);display:flex;flex-direction:column;gap:2px;min-width:0}
input,select,button{font:inherit;color:var(--ink);background:var(--bg);border:1px solid var(--line);border-radius:8px;
padding:5px 10px;max-width:100%}select{max-width:220px}button{cursor:pointer;background:var(--card);font-weight:600}
button:hover{border-color:var(--soft)}button[aria-pressed=true]{border-color:var(--ink);background:var(--bg)}
.rows{list-style:none;margin:0;padding:0}.rows>li{border-top:1px solid var(--grid);padding:8px 0}
.rows>li:first-child{border-top:0}.rows a{display:flex;flex-wrap:wrap;gap:2px 10px;text-decoration:none;color:inherit;
align-items:baseline}.rows a:hover .question{text-decoration:underline}
.rows .said{flex-basis:100%;color:var(--soft);font-size:13px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;
unicode-bidi:isolate}
.chart{min-height:190px;width:100%;overflow:hidden}.three{display:grid;gap:14px;margin-bottom:14px;
grid-template-columns:repeat(auto-fit,minmax(min(330px,100%),1fr))}.three>.card{margin:0;min-width:0}
.two>.card{min-width:0}rect.flow{fill:var(--prod)}rect.lost{fill:var(--critical)}rect.left{fill:var(--line)}
rect.kept{fill:var(--stable)}.steps td,.steps th{border:0;padding:2px 12px 2px 0;vertical-align:middle}
.steps th{width:1%;font-weight:500}.steps td:last-child{width:1%;text-align:right;
white-space:nowrap}.steps svg{height:16px;border-radius:3px}
pre.copy{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--bg);border:1px solid var(--line);
border-radius:8px;padding:10px 12px;margin:8px 0;font-size:12.5px;max-height:320px;overflow:auto}
.login{max-width:420px;margin:12vh auto}.login input{width:100%}.login form{display:grid;gap:10px}
mark.fact{background:var(--badbg);color:var(--bad);font-weight:600}.isolate{unicode-bidi:isolate;overflow-wrap:anywhere}
.hidden{display:none}.uplot,.uplot *{font-family:inherit}.u-legend{color:var(--soft);font-size:12.5px}
@media(max-width:640px){main{padding:16px 12px 40px}.card{padding:12px 13px}
.rules,.rules tbody,.rules tr,.rules td{display:block;width:auto!important;white-space:normal!important}
.rules tr{border-top:1px solid var(--grid);padding:7px 0}.rules td{border:0;padding:1px 0;overflow-wrap:anywhere}
.account{grid-template-columns:1fr}.account .mono{overflow-wrap:anywhere}.live{margin-left:0}h2{overflow-wrap:anywhere}}
"""
