// The page follows its lane: when the server says that there is a newer snapshot, the page is fetched again and the parts
// that changed are exchanged. Without this script it is whole, and still.
"use strict";
(() => {
  const byId = (root, id) => root.querySelector(`[data-live="${id}"]`);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let charts = [];

  const say = (state, text) => {
    const live = document.querySelector(".live");
    if (!live) return;
    live.dataset.state = state;
    if (live.textContent !== text) live.textContent = text;
  };

  // Charts in time. Everything else is drawn by the server.
  const LINES = {
    delta: { series: [["delta", "ΔS", "--shadow"], ["floor", "noise floor", "--soft", [3, 4]]], least: 0.6, digits: 3 },
    convergent: { series: [["convergent", "λ →", "--good"]], least: 1, digits: 3 },
    latency: { series: [["prod_p95", "prod P95", "--prod"], ["shadow_p95", "shadow P95", "--shadow"]], least: 0, digits: 3, unit: " s" },
  };

  const bands = (data) => ({
    hooks: {
      drawClear: (u) => {
        for (const [name, at] of [["--transitional", data.stable], ["--critical", data.critical]]) {
          const y = u.valToPos(at, "y", true);
          if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) continue;
          u.ctx.save();
          u.ctx.strokeStyle = color(name);
          u.ctx.setLineDash([2, 4]);
          u.ctx.beginPath();
          u.ctx.moveTo(u.bbox.left, y);
          u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
          u.ctx.stroke();
          u.ctx.restore();
        }
      },
    },
  });

  // 14:00, and the day where it begins.
  const hour = (seconds) => {
    const iso = new Date(seconds * 1e3).toISOString();
    return iso.slice(11, 16) === "00:00" ? iso.slice(5, 10) : iso.slice(11, 16);
  };

  const draw = () => {
    for (const chart of charts) chart.destroy();
    charts = [];
    const from = document.querySelector("[data-series]");
    if (!from || typeof uPlot === "undefined") return;
    const data = JSON.parse(from.dataset.series);
    for (const holder of from.querySelectorAll("[data-chart]")) {
      const kind = LINES[holder.dataset.chart];
      const lines = kind.series.filter(([name]) => (data[name] || []).some((value) => value !== null));
      if (!lines.length) {
        holder.textContent = "Nothing yet.";
        continue;
      }
      holder.textContent = "";
      const axis = { stroke: color("--soft"), grid: { stroke: color("--grid"), width: 1 }, ticks: { stroke: color("--grid"), width: 1 } };
      charts.push(new uPlot({
        width: Math.max(holder.clientWidth, 200),
        height: 190,
        cursor: { drag: { x: false, y: false } },
        plugins: holder.dataset.chart === "delta" ? [bands(data)] : [],
        scales: { y: { range: (_, low, high) => [0, Math.max((high || 0) * 1.08, kind.least || 1e-6)] } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map(hour), space: 60 }, { ...axis, size: 54 }],
        series: [
          { label: "UTC", value: (_, seconds) => seconds === null ? "–" : new Date(seconds * 1e3).toISOString().slice(5, 16).replace("T", " ") },
          ...lines.map(([, label, name, dash]) => ({
            label, stroke: color(name), width: 2, dash, spanGaps: false,
            points: { show: (u, si) => lonely(u.data[si]) },
            value: (_, value) => value === null || value === undefined ? "–" : value.toFixed(kind.digits) + (kind.unit || ""),
          })),
        ],
        tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"),
      }, [data.t, ...lines.map(([name]) => data[name])], holder));
    }
  };

  // A line needs two neighbours; where no step has one, the steps are points.
  const lonely = (values) => values.filter((value) => value !== null).length < 12;

  // The parts of a newer page. What a reader opened stays open, and what has the focus is left until it has it no more.
  const exchange = (fresh) => {
    let drawn = false;
    for (const now of document.querySelectorAll("[data-live]")) {
      const next = byId(fresh, now.dataset.live);
      if (!next || next.outerHTML === now.dataset.was) continue;
      if (now.contains(document.activeElement) && document.activeElement !== document.body) continue;
      const opened = [...now.querySelectorAll("details")].map((one) => one.open);
      const made = document.importNode(next, true);
      made.dataset.was = next.outerHTML;
      [...made.querySelectorAll("details")].forEach((one, index) => { if (index < opened.length) one.open = opened[index]; });
      now.replaceWith(made);
      drawn = drawn || made.querySelector("[data-series]") !== null;
    }
    if (drawn) draw();
  };

  let busy = false, again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected) exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
      else if (answer.redirected) location.reload();
    } catch { /* the stream says so too */ }
    busy = false;
    if (again) { again = false; refresh(); }
  };

  const follow = () => {
    const events = new EventSource("/events");
    events.addEventListener("open", () => say("live", "live"));
    events.addEventListener("snapshot", () => { say("live", "live"); refresh(); });
    events.addEventListener("error", () => {
      say("lost", "not connected");
      if (events.readyState === EventSource.CLOSED) setTimeout(follow, 30000);
    });
  };

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.classList.remove("hidden");
    button.addEventListener("click", async () => {
      const from = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(from.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(from);
        button.textContent = "Selected: copy it";
      }
    });
  }

  if (document.querySelector(".live")) {
    for (const one of document.querySelectorAll("[data-live]")) one.dataset.was = one.outerHTML;
    draw();
    let width = innerWidth;
    addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(); } });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    follow();
  }
})();
