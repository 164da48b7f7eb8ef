/* Draws what ends per second. The totals stand in a part of the page that live.js keeps up to date. */
"use strict";

(() => {
    const SPAN = 300_000;
    const KINDS = ["succeeded", "failed", "deleted"];
    const KEPT = "django_jobs.rates";

    const page = document.querySelector(".dj-overview");
    const bar = document.getElementById("dj-live");
    const chart = document.getElementById("dj-live-chart");
    if (!page || !bar || !chart) {
        return;
    }
    const interval = Math.max(500, Number(page.dataset.interval));
    const gap = 5 * interval + 5000; /* no line is drawn over a longer time of which nothing is known */
    let samples = kept();
    let last = null;

    /* Rates of the last five minutes, also those seen before the page was loaded again. */
    function kept() {
        try {
            const found = JSON.parse(sessionStorage.getItem(KEPT)) || [];
            return found.filter((sample) => sample.at > Date.now() - SPAN);
        } catch {
            return [];
        }
    }

    function keep() {
        try {
            sessionStorage.setItem(KEPT, JSON.stringify(samples));
        } catch {
            /* a browser that stores nothing begins anew */
        }
    }

    function ended() {
        const told = chart.querySelector("#dj-ended span").dataset;
        return Object.fromEntries(KINDS.map((kind) => [kind, Number(told[kind])]));
    }

    function measure() {
        const now = {at: Date.now(), ended: ended()};
        if (last && now.at - last.at < gap) {
            const seconds = (now.at - last.at) / 1000;
            const rates = KINDS.map((kind) => [kind, Math.max(0, (now.ended[kind] - last.ended[kind]) / seconds)]);
            samples.push({at: now.at, ...Object.fromEntries(rates)});
        }
        last = now;
        samples = samples.filter((sample) => sample.at > now.at - SPAN);
        keep();
        draw(now.at);
    }

    function points(kind, now, top) {
        const found = [];
        let before = null;
        for (const sample of samples) {
            const x = 300 * (1 - (now - sample.at) / SPAN);
            if (before && sample.at - before.at > gap) {
                found.push(`${before.x.toFixed(1)},99`, `${x.toFixed(1)},99`);
            }
            found.push(`${x.toFixed(1)},${(99 - 94 * (sample[kind] / top)).toFixed(1)}`);
            before = {at: sample.at, x};
        }
        return found.join(" ");
    }

    function written(number) {
        const digits = number < 10 ? 1 : 0;
        return number.toLocaleString(document.documentElement.lang || undefined, {maximumFractionDigits: digits});
    }

    function draw(now) {
        const top = Math.max(1, ...samples.flatMap((sample) => KINDS.map((kind) => sample[kind])));
        document.getElementById("dj-live-top").textContent = written(top);
        const newest = samples[samples.length - 1];
        for (const kind of KINDS) {
            chart.querySelector(`polyline[data-kind="${kind}"]`).setAttribute("points", points(kind, now, top));
            chart.querySelector(`[data-rate="${kind}"]`).textContent = newest ? written(newest[kind]) : "–";
        }
    }

    document.addEventListener("dj:parts", (event) => {
        if (event.detail.includes("dj-ended")) {
            measure();
        }
    });
    /* Where the totals stay as they are, nothing ended: as long as the page is kept up to date. */
    setInterval(() => {
        if (bar.dataset.state !== "live" || document.hidden) {
            last = null;
        } else if (!last || Date.now() - last.at > 2 * interval) {
            measure();
        }
    }, interval);

    chart.hidden = false;
    draw(Date.now());
    measure();
})();
