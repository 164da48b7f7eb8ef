/* Asks the REST API, by the session of the page. */

export const page = document.getElementById("manager");
const root = page.dataset.api.replace(/jobs\/$/, "");

export const address = (path) => root + path;

/* What the API says that is wrong: its problem details. */
export class Problem extends Error {
    constructor(status, told) {
        super(told.detail || told.title || `The server answered ${status}.`);
        this.status = status;
        this.errors = told.errors ?? [];
    }
}

const LOGGED_OUT = "You are no longer logged in. Load this page again.";

async function read(answer) {
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) {
        return told;
    }
    throw new Problem(answer.status, answer.status === 401 ? { ...told, detail: LOGGED_OUT } : told);
}

export const get = async (path) => read(await fetch(address(path), { headers: { Accept: "application/json" } }));

export async function post(path, body) {
    const headers = { Accept: "application/json", "X-CSRFToken": page.dataset.token };
    if (body !== undefined) {
        headers["Content-Type"] = "application/json";
    }
    return read(await fetch(address(path), { method: "POST", headers, body: JSON.stringify(body) }));
}

export const make = (name, text = "", className = "") => {
    const element = document.createElement(name);
    element.textContent = text;
    element.className = className;
    return element;
};
