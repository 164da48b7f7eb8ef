/*
 * Keeps a page of the dashboard up to date. It hears by a stream, or by asking, that something has happened; it asks
 * the page for the parts that have changed, and puts them in place node by node, so that focus, selection, ticks and
 * open details stay as they are.
 */
"use strict";

(() => {
    const KIND = "application/vnd.django-jobs.parts+json";
    const PULSE = 250; /* milliseconds between two looks for anything new, where there is no stream */
    const GAP = 100; /* at least, between two looks at the page */
    const SHARE = 3; /* looks that never end leave the server in peace for so many times as long as they take */
    const CREDIT = 1500; /* so much of that may be owed, so that what happens now and then is seen at once */
    const LONGEST_REST = 30000;
    const STREAM_AGAIN = 60000; /* after a stream that would not hold */
    const HELLO = 5000; /* a stream without a word so long is held back by a proxy */
    const SPEAK = 8000; /* between two announcements */
    const PRESS = 2000; /* nothing moves away under a pressed button, but for one that was never let go */

    /* --- Putting changes in place --- */

    const USERS_OWN = {INPUT: ["value", "checked"], OPTION: ["selected"], DETAILS: ["open"], DIALOG: ["open"]};

    const ACTIONS = "div.actions";
    const TICKED = "#result_list input.action-select:checked";
    const COUNTER = ".action-counter"; /* the admin's script counts ticks there */

    const keyOf = (node) => {
        if (node.nodeType !== Node.ELEMENT_NODE) {
            return "";
        }
        if (node.id || node.dataset.key) {
            return node.id || node.dataset.key;
        }
        if (node.tagName !== "TR") {
            return "";
        }
        const tick = node.querySelector("input.action-select");
        return tick ? tick.value : node.querySelector("th a")?.getAttribute("href") ?? "";
    };

    const isHeld = (row) => row.contains(document.activeElement) || row.querySelector("input:checked") !== null;

    /* What goes, but for rows that are ticked or have the focus, and for what is around them. */
    function remove(node) {
        const isElement = node.nodeType === Node.ELEMENT_NODE;
        const rows = isElement ? (node.tagName === "TR" ? [node] : [...node.querySelectorAll("tbody tr")]) : [];
        if (!rows.some(isHeld) && !(isElement && node.matches(ACTIONS) && document.querySelector(TICKED))) {
            node.remove();
            return;
        }
        for (const row of rows) {
            if (isHeld(row)) {
                row.classList.add("dj-moved-on");
            } else {
                row.remove();
            }
        }
    }

    const isLike = (node, other) =>
        node.nodeType === other.nodeType && node.nodeName === other.nodeName && keyOf(node) === keyOf(other);

    function takeAttributes(node, fresh) {
        const own = node.closest(ACTIONS) ? ["class", "value", "checked"] : USERS_OWN[node.tagName] || [];
        for (const {name, value} of [...fresh.attributes]) {
            if (!own.includes(name) && node.getAttribute(name) !== value) {
                node.setAttribute(name, value);
            }
        }
        for (const {name} of [...node.attributes]) {
            if (!own.includes(name) && !fresh.hasAttribute(name)) {
                node.removeAttribute(name);
            }
        }
        if (node.tagName === "TR") {
            node.classList.toggle("selected", node.querySelector("input.action-select:checked") !== null);
        }
    }

    function become(node, fresh) {
        if (node.nodeType !== Node.ELEMENT_NODE) {
            if (node.data !== fresh.data) {
                node.data = fresh.data;
            }
        } else if (!node.isEqualNode(fresh) && !node.hasAttribute("data-live-keep")) {
            takeAttributes(node, fresh);
            if (!["SELECT", "TEXTAREA"].includes(node.tagName) && !node.matches(COUNTER)) {
                takeChildren(node, fresh);
            }
        }
    }

    function takeChildren(node, fresh) {
        const wanted = [...fresh.childNodes];
        const keys = new Set(wanted.map(keyOf));
        const byKey = new Map([...node.childNodes].map((child) => [keyOf(child), child]));
        let at = node.firstChild;
        const leave = () => {
            const next = at.nextSibling;
            remove(at);
            at = next;
        };
        for (const child of wanted) {
            while (at && keyOf(at) && !keys.has(keyOf(at))) {
                leave();
            }
            const key = keyOf(child);
            const known = key ? byKey.get(key) : at && isLike(at, child) ? at : null;
            byKey.delete(key);
            if (!known || !isLike(known, child)) {
                node.insertBefore(document.adoptNode(child), at);
                continue;
            }
            while (at && at !== known && !keyOf(at)) {
                leave(); /* rather than to move what has the focus */
            }
            if (known === at) {
                at = at.nextSibling;
            } else {
                node.insertBefore(known, at);
            }
            become(known, child);
        }
        while (at) {
            leave();
        }
    }

    function put(parts) {
        const active = document.activeElement;
        for (const [id, html] of Object.entries(parts)) {
            const part = document.getElementById(id);
            if (part) {
                const fresh = document.createElement("template");
                fresh.innerHTML = html;
                takeChildren(part, fresh.content);
            }
        }
        if (active && active.isConnected && document.activeElement !== active) {
            active.focus({preventScroll: true});
        }
        countTicks();
        document.dispatchEvent(new CustomEvent("dj:parts", {detail: Object.keys(parts)}));
    }

    /* Ticks of rows that came later count, too: the admin's script is given the rows of the moment. */
    let counted = null;
    function countTicks() {
        const rows = () => [...document.querySelectorAll("#result_list input.action-select")];
        const living = {
            forEach: (each) => rows().forEach(each),
            get length() {
                return rows().length;
            },
            [Symbol.iterator]: () => rows()[Symbol.iterator](),
        };
        const table = document.getElementById("result_list");
        if (table !== counted && rows().length && window.Actions) {
            counted = table;
            try {
                window.Actions(living);
            } catch {
                /* the script of another look, such as django-unfold's, counts in its own way */
            }
        }
        if (counted && document.querySelector(COUNTER)) {
            window.dispatchEvent(new Event("pageshow")); /* makes it count */
        }
    }

    /* --- Following --- */

    const bar = document.getElementById("dj-live");
    if (!bar || !document.querySelector("[data-live], [data-live-said]")) {
        return;
    }
    const speaker = bar.querySelector("[role=status]");
    const toggle = bar.querySelector("button");
    const address = bar.dataset.url && `${bar.dataset.url}?jobs=${bar.dataset.jobs}`;
    const tick = Math.max(500, Number(bar.dataset.interval) * 1000);
    let tag = "";
    let stamps = null;
    let paused = false;
    let over = false;
    let asking = false;
    let wanted = false;
    let pressedAt = -Infinity;
    let troubles = 0;
    let credit = CREDIT;
    let lookedAt = 0;
    let feeling = false;
    let stream = null;
    const timers = new Map();
    let spoken = {text: "", at: 0};

    const isFollowing = () => !paused && !over && !document.hidden;
    const pause = () => (troubles ? Math.min(LONGEST_REST, 500 * 2 ** troubles) : 0);
    /* Nothing moves under a pressed button, nor while all that the list shows is chosen for an action. */
    const isHeldStill = () =>
        performance.now() - pressedAt < PRESS ||
        [...document.querySelectorAll("input.select-across")].some((input) => input.value === "1");

    function after(name, wait, what) {
        window.clearTimeout(timers.get(name));
        timers.set(name, window.setTimeout(what, wait));
    }

    function show(now) {
        const state = over ? "over" : now;
        bar.dataset.state = state;
        toggle.setAttribute("aria-pressed", String(!paused));
        toggle.querySelector(".dj-live-text").textContent = bar.dataset[`${state === "over" ? "paused" : state}Text`];
        bar.querySelector(".dj-live-over").hidden = state !== "over";
        toggle.hidden = state === "over";
    }

    function end() {
        over = true;
        hush();
        show("over");
    }

    /* What stands in elements with data-announce is told to screen readers when it has changed, now and then. */
    function speak() {
        const text = [...document.querySelectorAll("[data-announce]")]
            .map((element) => `${element.dataset.announce} ${element.textContent}`.replace(/\s+/g, " ").trim())
            .join(". ");
        if (spoken.text && text !== spoken.text) {
            if (Date.now() - spoken.at < SPEAK) {
                return;
            }
            speaker.textContent = text;
            spoken.at = Date.now();
        }
        spoken.text = text;
    }

    /* An answer that means something; null where the page has ended or there was trouble. */
    async function ask(url, headers) {
        const answer = await fetch(url, {headers, redirect: "manual", credentials: "same-origin"});
        if (answer.status === 304 || answer.ok) {
            return answer;
        }
        if (answer.status >= 500 || answer.status === 429 || answer.status === 408) {
            throw new Error(`The server answers ${answer.status}`);
        }
        end();
        return null;
    }

    async function look() {
        if (asking || isHeldStill() || !isFollowing()) {
            wanted = true;
            return;
        }
        asking = true;
        wanted = false;
        const began = performance.now();
        try {
            const answer = await ask(location.href, {Accept: KIND, ...(tag && {"If-None-Match": tag})});
            if (answer) {
                tag = answer.headers.get("ETag") || "";
                if (answer.status !== 304 && isFollowing()) {
                    put((await answer.json()).parts);
                    speak();
                }
                troubles = 0;
                show(paused ? "paused" : "live");
            }
        } catch {
            troubles += 1;
            wanted = true;
            show("away");
        }
        const ended = performance.now();
        credit = Math.min(CREDIT, credit + ended - lookedAt) - SHARE * (ended - began);
        lookedAt = ended;
        const rest = Math.max(GAP, -credit, pause());
        after("look", rest, () => {
            asking = false;
            if (wanted) {
                look();
            }
        });
    }

    function say() {
        document.dispatchEvent(new CustomEvent("dj:said"));
    }

    function listen() {
        let held = false;
        stream = new EventSource(address);
        const broken = () => {
            stream.close();
            look(); /* tells whether the page may still be seen at all */
            after("listen", held ? 1000 : STREAM_AGAIN, listen);
            feel();
        };
        stream.addEventListener("jobs", () => {
            held = true;
            look();
        });
        stream.addEventListener("said", say);
        stream.onerror = broken;
        after("hello", HELLO, () => held || broken());
    }

    /* Without a stream: is there anything new? */
    async function feel() {
        if (feeling || !isFollowing() || (stream && stream.readyState === EventSource.OPEN)) {
            return;
        }
        feeling = true;
        try {
            const answer = await ask(address, stamps ? {"If-None-Match": stamps.tag} : {});
            if (answer && answer.status !== 304) {
                const now = {...(await answer.json()), tag: answer.headers.get("ETag")};
                if (stamps && now.jobs !== stamps.jobs) {
                    look();
                }
                if (stamps && now.said !== stamps.said) {
                    say();
                }
                stamps = now;
            }
        } catch {
            troubles = Math.max(troubles, 1);
        }
        feeling = false;
        after("feel", Math.max(PULSE, pause()), feel);
    }

    function beat() {
        look();
        after("beat", tick, beat);
    }

    function hush() {
        timers.forEach((timer) => window.clearTimeout(timer));
        asking = false;
        if (stream) {
            stream.close();
            stream = null;
        }
    }

    function follow() {
        hush();
        if (isFollowing()) {
            show("live");
            beat();
            say();
            if (address) {
                (bar.dataset.way === "stream" && window.EventSource ? listen : feel)();
            }
        }
    }

    toggle.addEventListener("click", () => {
        paused = !paused;
        show(paused ? "paused" : "live");
        follow();
    });
    document.addEventListener("visibilitychange", follow);
    window.addEventListener("pagehide", hush);
    window.addEventListener("pageshow", (event) => event.persisted && follow());
    document.addEventListener("pointerdown", () => {
        pressedAt = performance.now();
    });
    for (const name of ["pointerup", "pointercancel", "dragend"]) {
        window.addEventListener(name, () => {
            pressedAt = -Infinity;
            if (wanted) {
                window.setTimeout(look, 0);
            }
        });
    }
    bar.hidden = false;
    window.addEventListener("load", countTicks); /* after the admin's script has looked at the rows of now */
    speak();
    follow();
})();
