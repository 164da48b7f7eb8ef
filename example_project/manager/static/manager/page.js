/* The job manager: loads the list, keeps it live, and does to the selected jobs what is asked. */
import { get, page, post } from "./api.js";
import * as form from "./form.js";
import { follow } from "./live.js";
import * as table from "./table.js";

const STEP = 50;
const MOST = 500;
const HOPS = 10;
const PAUSE = 300;
const LOOK = 1000;
const LOOKED_AT = 10;
const DONE = { pause: "Paused", resume: "Resumed", cancel: "Cancelled" };

const filters = document.getElementById("filters");
const message = document.getElementById("message");
const standing = document.getElementById("standing");
const more = document.getElementById("more");
const queueNew = document.getElementById("new");
const buttons = [...document.querySelectorAll("button.verb")];
let size = STEP;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function say(text, wrong = false) {
    message.textContent = text;
    message.classList.toggle("error", wrong);
}

function wanted() {
    const asked = new URLSearchParams({ page_size: size });
    for (const name of ["job_type", "state"]) {
        if (filters.elements[name].value) {
            asked.set(name, filters.elements[name].value);
        }
    }
    if (filters.elements.mine.checked) {
        asked.set("user", page.dataset.user);
    }
    return asked;
}

const named = () => filters.elements.job.value.trim();
let picked = "";

/* The job of that id alone, and selected as soon as it is there. */
async function loadOne(id) {
    const number = /^\d{1,15}$/.test(id);
    const job = number ? await get(`jobs/${id}/`).catch(unlessMissing) : null;
    if (id !== named()) {
        return;
    }
    filters.elements.job.setAttribute("aria-invalid", String(!number));
    if (picked !== id) {
        say(number ? "" : "An id is a whole number.", !number);
    }
    table.show(job ? [job] : []);
    more.hidden = true;
    if (job && picked !== id) {
        table.select([job.id], true);
    }
    picked = id;
}

function unlessMissing(problem) {
    if (problem.status !== 404) {
        throw problem;
    }
    return null;
}

/* A page of the API may be short and still have a next one. */
async function load() {
    if (named()) {
        await loadOne(named());
        return;
    }
    picked = "";
    filters.elements.job.removeAttribute("aria-invalid");
    let list = [];
    const asked = String(wanted());
    let query = `?${asked}`;
    for (let hop = 0; query && list.length < size && hop < HOPS; hop += 1) {
        const answer = await get(`jobs/${query}`);
        list = list.concat(answer.results);
        query = answer.next && new URL(answer.next).search;
    }
    if (named() || asked !== String(wanted())) {
        return;
    }
    table.show(list.slice(0, size));
    more.hidden = !query || size >= MOST;
}

let busy = false;
let again = false;

/* At once, and then every so often at most, however much happens. */
async function refresh() {
    again = true;
    if (busy) {
        return;
    }
    busy = true;
    while (again) {
        again = false;
        await load().catch((problem) => say(problem.message, true));
        await sleep(PAUSE);
    }
    busy = false;
}

function hear(event) {
    const asked = wanted();
    const passes = (name, value) => !asked.has(name) || asked.get(name) === value;
    if (named() && event && named() !== String(event.job)) {
        return;
    }
    if (!event || (passes("job_type", event.job_type) && passes("user", event.user))) {
        refresh();
    }
}

function allows(button, job) {
    const { verb, from } = button.dataset;
    const fits = from.split(" ").includes(job.state);
    if (job.state !== "processing" || verb === "cancel") {
        return fits;
    }
    return verb === (job.asked === "pause" ? "resume" : "pause");
}

table.whenSelected(() => {
    const jobs = table.chosen();
    buttons.forEach((button) => (button.disabled = !jobs.some((job) => allows(button, job))));
});

async function act(button) {
    const { verb } = button.dataset;
    const jobs = table.chosen().filter((job) => allows(button, job));
    const refused = [];
    let asked = 0;
    for (const job of jobs) {
        try {
            asked += (await post(`jobs/${job.id}/${verb}/`)).asked ? 1 : 0;
        } catch (problem) {
            refused.push(problem.message);
        }
    }
    const moved = jobs.length - refused.length;
    const running = asked ? ` ${asked} of them will hear of it at the next checkpoint.` : "";
    say(`${DONE[verb]}: ${moved} of ${jobs.length}.${running} ${refused.join(" ")}`.trim(), refused.length > 0);
    refresh();
}

buttons.forEach((button) => button.addEventListener("click", () => act(button)));

const typing = (target) => target.closest("input:not([type=checkbox]), select, textarea, dialog");

document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) {
        return;
    }
    const button = buttons.find((one) => one.dataset.key === event.key);
    if (event.key === "n" && queueNew) {
        event.preventDefault();
        form.open();
    } else if (button && !button.disabled) {
        act(button);
    } else if (button) {
        say(`Select a job first that can be asked to ${button.dataset.verb}.`, true);
    }
});

/* Progress is no event: running jobs are asked for it. A paused one is asked once, for how far it came. */
async function watch() {
    const due = table.shown().filter(({ id, state }) => state === "processing" || (state === "paused" && !table.known(id)));
    for (const { id } of document.hidden ? [] : due.slice(0, LOOKED_AT)) {
        const told = await get(`jobs/${id}/console/?after=${10 ** 15}`).catch(() => null);
        if (told) {
            table.showProgress(id, told.progress);
        }
    }
    setTimeout(watch, LOOK);
}

filters.addEventListener("submit", (event) => event.preventDefault());
filters.elements.job.addEventListener("input", refresh);
filters.addEventListener("change", () => {
    size = STEP;
    refresh();
});
more.addEventListener("click", () => {
    size = Math.min(size + STEP, MOST);
    refresh();
});

async function start() {
    const [types, place] = await Promise.all([get("job-types/"), get("events/")]);
    filters.elements.job_type.append(...types.map((type) => new Option(type.name)));
    if (queueNew) {
        form.prepare(types, (job) => {
            say(`Job ${job.id} is queued.`);
            refresh();
        });
    }
    refresh();
    watch();
    follow(place.after, hear, (word, why) => {
        standing.textContent = word;
        standing.dataset.standing = word;
        if (why) {
            say(why, true);
        }
    });
}

start().catch((problem) => say(problem.message, true));
