/* The dialog that queues a new job; what is wrong is said at the field. */
import { post } from "./api.js";

const dialog = document.getElementById("dialog");
const FIELDS = ["job_type", "args", "kwargs"];

const at = (id) => document.getElementById(id);

function complain(field, text) {
    const place = at(`${field}-error`);
    place.textContent = text;
    place.hidden = !text;
    at(field).setAttribute("aria-invalid", String(Boolean(text)));
}

const general = (text) => {
    at("call-error").textContent = text;
    at("call-error").hidden = !text;
};

function parsed(field) {
    try {
        return JSON.parse(at(field).value);
    } catch (error) {
        complain(field, `This is no JSON: ${error.message}`);
        return undefined;
    }
}

function explain(problem) {
    const left = [];
    for (const { field, message } of problem.errors ?? []) {
        const name = field.split(/[.[]/)[0];
        if (FIELDS.includes(name)) {
            complain(name, message);
        } else {
            left.push(`${field}: ${message}`);
        }
    }
    general(problem.errors?.length ? left.join(" ") : problem.message);
    dialog.querySelector("[aria-invalid='true']")?.focus();
}

async function send(queued) {
    FIELDS.forEach((field) => complain(field, ""));
    general("");
    const body = { job_type: at("job_type").value, args: parsed("args"), kwargs: parsed("kwargs") };
    if (body.args === undefined || body.kwargs === undefined) {
        dialog.querySelector("[aria-invalid='true']").focus();
        return;
    }
    try {
        const job = await post("jobs/", body);
        dialog.close();
        queued(job);
    } catch (problem) {
        explain(problem);
    }
}

const signature = ({ name, annotation, required, default: value }) =>
    name + (annotation && `: ${annotation}`) + (required || !value ? "" : ` = ${value}`);

function describe(type) {
    const calls = type.here ? `(${type.parameters.map(signature).join(", ")})` : "Its code is elsewhere.";
    at("told").textContent = [type.description, calls, type.served ? "" : "No live server takes it."].join(" ").trim();
}

export const open = () => dialog.showModal();

export function prepare(types, queued) {
    const choice = at("job_type");
    choice.replaceChildren(...types.map((type) => new Option(type.name)));
    const told = () => types.length && describe(types[choice.selectedIndex]);
    choice.addEventListener("change", told);
    told();
    at("new").addEventListener("click", open);
    at("close").addEventListener("click", () => dialog.close());
    let sending = false;
    at("call").addEventListener("submit", async (event) => {
        event.preventDefault();
        if (!sending) {
            sending = true;
            await send(queued);
            sending = false;
        }
    });
}
