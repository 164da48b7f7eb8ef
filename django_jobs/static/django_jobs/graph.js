/* Zoom and pan of graphs. Without it they scroll, and every box is a link all the same. */
"use strict";

(() => {
    const LEAST = 0.1;
    const MOST = 4;
    const STEP = 1.25;
    const KEYS = { "+": "in", "=": "in", "-": "out", 0: "one", a: "all" };

    let scale = 1;
    let drag = null;

    const viewOf = (graph) => graph.querySelector(".dj-graph-view");

    function resize(graph, wanted) {
        const view = viewOf(graph);
        const svg = view.querySelector("svg");
        const before = scale;
        scale = Math.min(MOST, Math.max(LEAST, wanted));
        const x = (view.scrollLeft + view.clientWidth / 2) / before;
        const y = (view.scrollTop + view.clientHeight / 2) / before;
        svg.setAttribute("width", Math.round(svg.dataset.width * scale));
        svg.setAttribute("height", Math.round(svg.dataset.height * scale));
        view.scrollLeft = x * scale - view.clientWidth / 2;
        view.scrollTop = y * scale - view.clientHeight / 2;
    }

    function fitting(graph) {
        const view = viewOf(graph);
        const svg = view.querySelector("svg");
        return Math.min(1, view.clientWidth / svg.dataset.width, view.clientHeight / svg.dataset.height);
    }

    const zoom = (graph, how) =>
        resize(graph, { in: scale * STEP, out: scale / STEP, one: 1, all: fitting(graph) }[how]);

    /* Where the job itself is in view from the start. */
    function centre(graph) {
        const view = viewOf(graph);
        const here = view.querySelector(".dj-here");
        if (here) {
            const box = here.getBoundingClientRect();
            const frame = view.getBoundingClientRect();
            view.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
            view.scrollTop += box.top + box.height / 2 - frame.top - frame.height / 2;
        }
    }

    /* A page that follows what happens brings graphs as the server draws them: in their own size, without tools. */
    function prepare() {
        for (const graph of document.querySelectorAll("[data-graph]")) {
            graph.querySelector(".dj-graph-tools").hidden = false;
            resize(graph, scale);
        }
    }

    function begin() {
        prepare();
        document.querySelectorAll("[data-graph]").forEach(centre);
    }

    const graphOf = (event) => event.target.closest?.("[data-graph]");

    document.addEventListener("click", (event) => {
        const button = event.target.closest?.("[data-zoom]");
        if (button) {
            zoom(graphOf(event), button.dataset.zoom);
        } else if (drag?.moved && graphOf(event)) {
            event.preventDefault(); /* the end of a drag opens no job */
        }
        drag = null;
    });

    document.addEventListener("keydown", (event) => {
        const graph = graphOf(event);
        if (graph && KEYS[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
            event.preventDefault();
            event.stopPropagation();
            zoom(graph, KEYS[event.key]);
        }
    });

    document.addEventListener("wheel", (event) => {
        const graph = graphOf(event);
        if (graph && event.ctrlKey) {
            event.preventDefault();
            zoom(graph, event.deltaY < 0 ? "in" : "out");
        }
    }, { passive: false });

    document.addEventListener("pointerdown", (event) => {
        const view = event.target.closest?.(".dj-graph-view");
        drag = null;
        if (view && event.pointerType === "mouse" && event.button === 0) {
            drag = { view, x: event.clientX + view.scrollLeft, y: event.clientY + view.scrollTop, moved: false };
        }
    });

    document.addEventListener("pointermove", (event) => {
        if (drag && event.buttons & 1) {
            const left = drag.x - event.clientX;
            const top = drag.y - event.clientY;
            drag.moved ||= Math.abs(left - drag.view.scrollLeft) + Math.abs(top - drag.view.scrollTop) > 4;
            if (drag.moved) {
                drag.view.scrollLeft = left;
                drag.view.scrollTop = top;
            }
        }
    });

    document.addEventListener("dragstart", (event) => {
        if (graphOf(event)) {
            event.preventDefault(); /* a box is a link, which the browser would drag away */
        }
    });

    document.addEventListener("dj:parts", prepare);
    begin();
})();
