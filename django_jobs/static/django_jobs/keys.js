/* Keys of the dashboard's pages: / search, j and k rows, Enter open, x tick, ? help. Never while somebody types. */
"use strict";

(() => {
    const ROWS = "#result_list tbody tr, [data-row]";
    const OFF = "django_jobs.keys.off";
    const help = document.getElementById("dj-keys");
    if (!help) {
        return;
    }
    const button = document.getElementById("dj-keys-button");
    const choice = document.getElementById("dj-keys-on");

    const remembered = () => {
        try {
            return window.localStorage.getItem(OFF) !== "yes";
        } catch {
            return true; /* a browser that keeps nothing */
        }
    };

    const isTyping = (element) =>
        element.isContentEditable ||
        element.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=image])");

    const rows = () => [...document.querySelectorAll(ROWS)].filter((row) => row.offsetParent !== null);

    const current = () => document.activeElement.closest(ROWS);

    function step(by) {
        const all = rows();
        const at = all.indexOf(current());
        const row = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
        if (!row) {
            return;
        }
        const target = row.querySelector("th a, a") || row;
        if (target === row) {
            row.tabIndex = -1;
        }
        target.focus();
        row.scrollIntoView({block: "nearest"});
    }

    const DEEDS = {
        "/": () => {
            const search = document.querySelector("#searchbar") || document.querySelector("#content [type=search]");
            search?.focus();
            search?.select();
        },
        j: () => step(1),
        k: () => step(-1),
        x: () => current()?.querySelector("input.action-select, input[type=checkbox]")?.click(),
        "?": () => help.showModal(),
    };

    document.addEventListener("keydown", (event) => {
        const deed = DEEDS[event.key];
        if (!deed || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) {
            return;
        }
        if (!choice.checked || isTyping(event.target) || document.querySelector("dialog[open]")) {
            return;
        }
        event.preventDefault();
        deed();
    });

    choice.checked = remembered();
    choice.addEventListener("change", () => {
        try {
            window.localStorage.setItem(OFF, choice.checked ? "no" : "yes");
        } catch {
            /* then for this page alone */
        }
    });
    button.hidden = false;
    button.addEventListener("click", () => help.showModal());
})();
