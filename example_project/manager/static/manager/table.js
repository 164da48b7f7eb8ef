/* The table: rows by job, the selection, and the keys that move in it. All text goes in as text. */
import { make, page } from "./api.js";

const body = document.getElementById("jobs");
const all = document.getElementById("all");
const rows = new Map();
const jobs = new Map();
const bars = new Map();
export const selected = new Set();

let changed = () => {};
export const whenSelected = (listener) => (changed = listener);
export const shown = () => [...jobs.values()];
export const chosen = () => [...selected].map((id) => jobs.get(id));

function idCell(id) {
    const cell = make("td");
    if (!page.dataset.admin) {
        cell.textContent = id;
        return cell;
    }
    const link = make("a", id);
    link.href = `${page.dataset.admin}${id}/change/`;
    link.tabIndex = -1;
    cell.append(link);
    return cell;
}

function newRow(id) {
    const row = make("tr");
    row.dataset.id = id;
    row.tabIndex = -1;
    const box = make("input");
    box.type = "checkbox";
    box.tabIndex = -1;
    box.setAttribute("aria-label", `Select job ${id}`);
    const first = make("td");
    first.append(box);
    row.append(first, idCell(id));
    for (const name of ["type", "state", "progress", "user", "created"]) {
        const cell = make("td", "", name);
        row.append(cell);
    }
    return row;
}

function write(row, name, text) {
    const cell = row.querySelector(`.${name}`);
    if (cell.textContent !== text) {
        cell.textContent = text;
    }
    return cell;
}

function fill(row, job) {
    write(row, "type", job.job_type);
    const state = write(row, "state", job.asked ? `${job.state}, ${job.asked} asked` : job.state);
    state.title = job.reason;
    row.dataset.state = job.state;
    write(row, "user", job.created_by);
    write(row, "created", new Date(job.created_at).toLocaleString());
    mark(row, job.id);
}

function mark(row, id) {
    row.setAttribute("aria-selected", String(selected.has(id)));
    row.querySelector("input").checked = selected.has(id);
}

/* Rows that stay are not moved: the focus stays where it is. */
export function show(list) {
    const held = document.activeElement.closest?.("#jobs tr");
    const index = held ? [...body.children].indexOf(held) : -1;
    jobs.clear();
    list.forEach((job) => jobs.set(job.id, job));
    for (const [id, row] of rows) {
        if (!jobs.has(id)) {
            row.remove();
            rows.delete(id);
            bars.delete(id);
            selected.delete(id);
        }
    }
    let next = body.firstElementChild;
    for (const job of list) {
        const row = rows.get(job.id) ?? newRow(job.id);
        if (row === next) {
            next = next.nextElementSibling;
        } else {
            body.insertBefore(row, next);
        }
        rows.set(job.id, row);
        fill(row, job);
    }
    if (held && !held.isConnected) {
        focus(body.children[Math.min(index, body.children.length - 1)]);
    } else if (!body.querySelector("tr[tabindex='0']") && body.firstElementChild) {
        body.firstElementChild.tabIndex = 0;
    }
    document.getElementById("none").hidden = list.length > 0;
    tellSelection();
}

export const known = (id) => bars.has(id);

/* Each run has bars of its own: those of the last one count. */
export function showProgress(id, list) {
    bars.set(id, list);
    const run = Math.max(...list.map((bar) => bar.run));
    const bar = list.find((one) => one.run === run);
    const row = rows.get(id);
    if (!bar || !row) {
        return;
    }
    const text = bar.total ? `${Math.floor((100 * bar.value) / bar.total)} %` : String(bar.value);
    const cell = row.querySelector(".progress");
    if (bar.total) {
        const drawn = cell.querySelector("progress") ?? make("progress");
        drawn.max = bar.total;
        drawn.value = bar.value;
        drawn.setAttribute("aria-label", bar.name);
        cell.replaceChildren(drawn, ` ${text}`);
    } else {
        cell.textContent = text;
    }
}

function tellSelection() {
    all.checked = rows.size > 0 && selected.size === rows.size;
    all.indeterminate = selected.size > 0 && !all.checked;
    changed();
}

export function select(ids, on) {
    for (const id of ids) {
        selected[on ? "add" : "delete"](id);
        mark(rows.get(id), id);
    }
    tellSelection();
}

function focus(row) {
    if (row) {
        body.querySelectorAll("tr[tabindex='0']").forEach((other) => (other.tabIndex = -1));
        row.tabIndex = 0;
        row.focus();
    }
}

const toggle = (row) => select([Number(row.dataset.id)], !selected.has(Number(row.dataset.id)));

body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && !event.target.closest("a")) {
        toggle(row);
        focus(row);
    }
});

all.addEventListener("change", () => select([...rows.keys()], all.checked));

const STEPS = {
    ArrowDown: (row) => row.nextElementSibling,
    ArrowUp: (row) => row.previousElementSibling,
    Home: () => body.firstElementChild,
    End: () => body.lastElementChild,
};

body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (event.ctrlKey || event.metaKey || event.altKey) {
        return;
    }
    if (event.key in STEPS) {
        focus(STEPS[event.key](row));
    } else if (event.key === " ") {
        toggle(row);
    } else if (event.key === "Escape") {
        select([...selected], false);
    } else if (event.key === "Enter") {
        row.querySelector("a")?.click();
    } else {
        return;
    }
    event.preventDefault();
});
