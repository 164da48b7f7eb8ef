/* Shows what a job says, when live.js tells that there is something. Everything goes in as text, never as markup. */
"use strict";

(() => {
    const make = (name, className, text) => {
        const element = document.createElement(name);
        element.className = className;
        element.textContent = text;
        return element;
    };

    const byData = (parent, name, value) =>
        [...parent.children].find((child) => child.dataset[name] === String(value));

    function listOf(section, line) {
        let run = byData(section, "run", line.run);
        if (!run) {
            for (const earlier of section.querySelectorAll("details")) {
                earlier.open = false;
            }
            run = make("details", "dj-run", "");
            run.dataset.run = line.run;
            run.open = true;
            const list = make("ol", "dj-console", "");
            list.setAttribute("aria-label", line.label);
            list.tabIndex = 0;
            run.append(make("summary", "", line.label), list);
            section.append(run);
        }
        return run.querySelector("ol.dj-console");
    }

    function showLines(section, lines) {
        const follows = new Set();
        for (const line of lines) {
            const list = listOf(section, line);
            if (list.scrollHeight - list.scrollTop - list.clientHeight < 30) {
                follows.add(list);
            }
            if (line.left_out) {
                list.append(make("li", "dj-left-out", line.left_out));
            }
            const item = make("li", line.style, "");
            item.title = line.level;
            const time = make("time", "", line.time);
            time.dateTime = line.at;
            item.append(time, " ", make("span", "", line.text));
            list.append(item);
        }
        for (const list of follows) {
            list.scrollTop = list.scrollHeight;
        }
        section.hidden = !section.querySelector("details");
    }

    function showBars(section, bars) {
        const list = section.querySelector("ul");
        for (const child of [...list.children]) {
            if (!bars.some((bar) => bar.name === child.dataset.name)) {
                child.remove();
            }
        }
        for (const bar of bars) {
            let item = byData(list, "name", bar.name);
            if (!item) {
                item = make("li", "dj-bar", "");
                item.dataset.name = bar.name;
                const progress = make("progress", "", "");
                progress.max = 100;
                progress.setAttribute("aria-label", bar.name);
                item.append(make("span", "dj-bar-name", bar.name), progress, make("span", "dj-bar-standing", ""));
                list.append(item);
            }
            const progress = item.querySelector("progress");
            progress.hidden = bar.percent === null;
            progress.value = bar.percent ?? 0;
            item.querySelector(".dj-bar-standing").textContent = bar.standing;
        }
        section.hidden = !bars.length;
    }

    function showMetadata(section, text) {
        const shown = section.querySelector("pre");
        if (shown.textContent !== text) {
            shown.textContent = text;
        }
        section.hidden = !text;
    }

    const here = () => document.getElementById("dj-said");

    function scrollDown() {
        for (const list of document.querySelectorAll("#dj-console details[open] ol")) {
            list.scrollTop = list.scrollHeight;
        }
    }

    /* The job has moved to another state: its runs are others. The other parts follow by themselves. */
    async function renew() {
        const answer = await fetch(location.href, {redirect: "manual"});
        if (answer.ok) {
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            here().replaceWith(document.adoptNode(page.getElementById("dj-said")));
            scrollDown();
        }
    }

    /* Whether there is more to be fetched at once. */
    async function look() {
        const said = here();
        const answer = await fetch(`${said.dataset.url}?after=${said.dataset.after}`, {redirect: "manual"});
        if (!answer.ok) {
            return false; /* whoever follows the page sees that, too */
        }
        const news = await answer.json();
        if (news.stamp !== said.dataset.stamp) {
            await renew();
            return false;
        }
        showLines(document.getElementById("dj-console"), news.lines);
        showBars(document.getElementById("dj-progress"), news.bars);
        showMetadata(document.getElementById("dj-metadata"), news.metadata);
        if (news.lines.length) {
            said.dataset.after = news.lines.at(-1).number;
        }
        return news.more;
    }

    let looking = false;
    let again = false;

    /* One look at a time; what is asked for during one is asked for after it. */
    async function follow() {
        again = true;
        if (looking) {
            return;
        }
        looking = true;
        try {
            while (again) {
                again = false;
                again = (await look()) || again;
            }
        } catch {
            /* The site cannot be reached; live.js asks again. */
        }
        looking = false;
    }

    scrollDown();
    if (here()) {
        document.addEventListener("dj:said", follow);
        document.addEventListener("dj:parts", follow);
    }
})();
