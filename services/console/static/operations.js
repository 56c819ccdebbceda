// Every five seconds the page is asked for again, and what has changed takes its place. Without this file it is reloaded by hand.
(() => {
  const EVERY = 5000;
  const when = document.querySelector("[data-when]");
  const button = document.querySelector("[data-pause]");
  const say = document.querySelector("[data-say]");
  if (!when || !button || !say) return;
  let paused = false;

  const show = () => {
    button.hidden = false;
    button.textContent = paused ? "Go on" : "Pause";
    when.textContent = paused ? "Paused." : "This page looks again every 5 seconds.";
  };

  const take = (fresh) => {
    for (const old of document.querySelectorAll("[data-fresh]")) {
      const next = fresh.getElementById(old.id);
      // What somebody is about to press stays where it is.
      if (!next || old.contains(document.activeElement) || old.textContent === next.textContent) continue;
      if (old.id === "verdict") say.textContent = next.textContent;
      old.replaceChildren(...next.childNodes);
    }
  };

  const look = async () => {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch("/operations", { headers: { Accept: "text/html" } });
      if (answer.redirected) return location.assign(answer.url);
      if (!answer.ok) throw new Error(answer.status);
      const text = await answer.text();
      if (!paused) take(new DOMParser().parseFromString(text, "text/html"));
      show();
    } catch {
      when.textContent = "This page is not answered just now; what it shows is older.";
    }
  };

  const turn = async () => {
    await look();
    setTimeout(turn, EVERY);
  };

  button.addEventListener("click", () => {
    paused = !paused;
    show();
  });
  show();
  setTimeout(turn, EVERY);
})();
