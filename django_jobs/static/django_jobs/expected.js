/*
 * When a thing will have ended takes longer to reckon than its page: it is asked for once the page is there, and again
 * every half minute. Where nobody can tell, nothing is shown.
 */
"use strict";

(() => {
    const AGAIN = 30000;

    async function tell(place) {
        if (document.hidden) {
            return;
        }
        const answer = await fetch(place.dataset.expected).catch(() => null);
        const told = answer?.ok ? (await answer.json()).text : "";
        place.querySelector("span").textContent = told;
        place.hidden = !told;
    }

    for (const place of document.querySelectorAll("[data-expected]")) {
        tell(place);
        setInterval(tell, AGAIN, place);
    }
})();
