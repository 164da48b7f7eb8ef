/* Tells of each event. The browser resumes a broken stream by itself; where there is none, the API is asked. */
import { address, get } from "./api.js";

const PAUSE = 2000;
const ROUNDS = 15;

/* `tell(event)` hears each event, and null where some may have been missed; `show(word)` how it stands. */
export function follow(place, tell, show) {
    let after = place;
    const path = () => `events/?after=${encodeURIComponent(after)}`;

    function stream() {
        const source = new EventSource(address(path()));
        source.onopen = () => {
            show("live");
            tell(null);
        };
        source.addEventListener("state", (event) => {
            after = event.lastEventId || after;
            tell(JSON.parse(event.data));
        });
        source.onerror = () => {
            if (source.readyState === EventSource.CLOSED) {
                ask(ROUNDS);
            } else {
                show("connecting");
            }
        };
    }

    async function ask(rounds) {
        let more = false;
        try {
            const news = await get(path());
            ({ after, more } = news);
            news.events.forEach(tell);
            show("polling");
        } catch (problem) {
            if (problem.status === 401 || problem.status === 403) {
                show("ended", problem.message);
                return;
            }
            show("connecting");
        }
        setTimeout(() => (rounds ? ask(rounds - 1) : stream()), more ? 0 : PAUSE);
    }

    stream();
}
