//! The style of the page, for light and dark, from a telephone to a desk.

/// Colours have at least 4.5:1 against what they stand on.
pub(super) const CSS: &str = "
:root{--page:#ffffff;--card:#f6f8fa;--text:#1f2328;--soft:#59636e;--line:#d1d9e0;--accent:#0b62c4;--good:#1a7f37;--bad:#c62828;--open:#8250df;--on:#ffffff;--l0:#0b62c4;--l1:#b8500a;--l2:#0a7a55;--l3:#a3418c;--l4:#7d6a00;--l5:#3b3f8f;--l6:#57606a}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--card:#161b22;--text:#e6edf3;--soft:#9aa4af;--line:#30363d;--accent:#6cb0ff;--good:#56d070;--bad:#ff7b72;--open:#c297ff;--on:#0d1117;--l0:#6cb0ff;--l1:#ff9e57;--l2:#3fd0a0;--l3:#f29bd4;--l4:#e3d04b;--l5:#a9a4ff;--l6:#aab4be}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:75rem;padding:1rem;background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.25rem;margin:2rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--line)}h3{font-size:1rem;margin:0}
a{color:var(--accent)}
.place{font-weight:600;margin:.25rem 0 .75rem}.facts{color:var(--soft);margin:.25rem 0 .5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:0 0 1rem;font-size:.9rem}dt{color:var(--soft)}dd{margin:0;min-width:0}
ul{list-style:none;margin:.5rem 0;padding:0}
.badge{display:inline-block;min-width:4.6rem;padding:.05rem .45rem;border-radius:.3rem;font-size:.72rem;font-weight:700;line-height:1.5;text-align:center;vertical-align:middle;color:var(--on);background:var(--soft);overflow-wrap:normal}
.good{background:var(--good)}.bad{background:var(--bad)}.open{background:var(--open)}
.summary li{display:grid;grid-template-columns:9rem 7.5rem 4.5rem 1fr;gap:.15rem .75rem;align-items:baseline;padding:.35rem 0;border-bottom:1px solid var(--line)}
.summary .badge,.checks .badge{justify-self:start}.time{color:var(--soft);text-align:right;font-variant-numeric:tabular-nums}
.checks li{display:grid;grid-template-columns:7.5rem 1fr;gap:.15rem .75rem;align-items:baseline;padding:.2rem 0}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--soft)}
article{margin:.75rem 0;padding:.75rem;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
.scroll{overflow-x:auto}table{border-collapse:separate;border-spacing:0;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.15rem .6rem;text-align:right;white-space:nowrap}tr+tr>*{border-top:1px solid var(--line)}th{font-weight:600}tr:first-child th{color:var(--soft);font-weight:400}tr>:first-child{padding-left:0;position:sticky;left:0;background:var(--card)}
details td{white-space:normal;min-width:5.2rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:.75rem;margin-top:.75rem}
figure{margin:0;max-width:28rem}figcaption{font-size:.9rem}figcaption span{display:block;color:var(--soft);font-size:.8rem}figure>svg{display:block;width:100%;height:auto}
figure text{fill:var(--text);font:12px system-ui,sans-serif}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.25rem 0;font-size:.8rem}.legend li{display:flex;align-items:center;gap:.4rem}.legend svg{flex:none;width:2rem;height:.75rem}
.line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.l0{color:var(--l0)}.l1{color:var(--l1);stroke-dasharray:7 4}.l2{color:var(--l2);stroke-dasharray:2 4}.l3{color:var(--l3);stroke-dasharray:10 4 2 4}.l4{color:var(--l4)}.l5{color:var(--l5);stroke-dasharray:7 4}.l6{color:var(--l6);stroke-dasharray:2 4}
.dots{fill:currentColor;stroke:currentColor;stroke-width:1.5;stroke-dasharray:none}
.mark{fill:none;stroke:var(--text);stroke-width:1.4;stroke-dasharray:5 3}figure .number{font-weight:700;stroke:var(--page);stroke-width:4;paint-order:stroke}
.grid{stroke:var(--line)}.curve{fill:none;stroke:var(--accent);stroke-width:1.8}.bars{fill:var(--accent)}
.interval{stroke:var(--text);stroke-width:1.2}.kept{stroke:var(--good);stroke-width:2.5}.broken{stroke:var(--bad);stroke-width:2.5}.undecided{stroke:var(--open);stroke-width:2.5}
.figures li{display:grid;grid-template-columns:1fr max-content;gap:0 1rem;padding:.25rem 0;border-bottom:1px solid var(--line)}
.figures b{text-align:right;font-variant-numeric:tabular-nums}.figures i{grid-column:1/-1;height:.4rem;min-width:2px;margin-top:.15rem;border-radius:.2rem;background:var(--accent)}
.figures .on{display:block;color:var(--soft);font-size:.85rem;padding-top:.6rem}
.wide{overflow-x:auto;margin:.75rem 0}.wide svg{display:block;min-width:44rem}
@media(max-width:40rem){body{padding:.6rem}.summary li{grid-template-columns:1fr max-content max-content}.summary li>span:last-child{grid-column:1/-1}.checks li{grid-template-columns:1fr}table{font-size:.8rem}th,td{padding:.15rem .3rem}article{padding:.6rem}}
";
