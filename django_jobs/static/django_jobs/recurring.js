/* The next runs of the timetable in the form, shown below the expression while it is written. */
"use strict";
(function () {
    const PAUSE = 250;
    const NAMES = ["cron", "time_zone", "match_both_days", "starts_at_0", "starts_at_1", "ends_at_0", "ends_at_1"];

    function start() {
        const box = document.getElementById("dj-preview");
        const cron = document.getElementById("id_cron");
        if (!box || !cron) {
            return;
        }
        cron.closest(".form-row").append(box);
        const zone = document.getElementById("id_time_zone");
        if (zone) {
            zone.setAttribute("list", "id_time_zone_list");
        }
        let timer = 0;
        let asked = 0;

        function query() {
            const said = new URLSearchParams();
            for (const name of NAMES) {
                const field = document.getElementById("id_" + name);
                if (field && (field.type !== "checkbox" || field.checked)) {
                    said.set(name, field.type === "checkbox" ? "on" : field.value);
                }
            }
            return said;
        }

        function show(answer) {
            const error = box.querySelector(".dj-preview-error");
            const runs = answer.runs || [];
            box.hidden = false;
            error.hidden = !answer.error;
            error.textContent = answer.error || "";
            box.querySelector(".dj-preview-words").textContent = answer.words || "";
            box.querySelector(".dj-preview-none").hidden = Boolean(answer.error) || runs.length > 0;
            const list = box.querySelector(".dj-preview-runs");
            list.replaceChildren(...runs.map(function ([there, here]) {
                const line = document.createElement("li");
                line.textContent = there;
                const own = document.createElement("span");
                own.className = "quiet";
                own.textContent = here;
                line.append(" ", own);
                return line;
            }));
            for (const name of ["cron", "time_zone"]) {
                const field = document.getElementById("id_" + name);
                if (field) {
                    field.toggleAttribute("aria-invalid", answer.field === name);
                }
            }
        }

        async function ask() {
            const number = ++asked;
            if (!cron.value.trim()) {
                box.hidden = true;
                return;
            }
            try {
                const response = await fetch(box.dataset.url + "?" + query(), {headers: {Accept: "application/json"}});
                if (response.ok && number === asked) {
                    show(await response.json());
                }
            } catch {
                box.hidden = true; // the server cannot be reached; saving checks again
            }
        }

        function later() {
            window.clearTimeout(timer);
            timer = window.setTimeout(ask, PAUSE);
        }

        for (const name of NAMES) {
            const field = document.getElementById("id_" + name);
            if (field) {
                field.addEventListener("input", later);
                field.addEventListener("change", later);
            }
        }
        ask();
    }

    if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", start);
    } else {
        start();
    }
})();
