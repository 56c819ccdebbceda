// Updates the parts of the page that have changed every five seconds. Without script the user reloads the page.
(() => {
  const INTERVAL_MS = 5000;
  const status = document.querySelector("[data-when]");
  const button = document.querySelector("[data-pause]");
  const announcement = document.querySelector("[data-say]");
  if (!status || !button || !announcement) return;
  let paused = false;

  const show = () => {
    button.hidden = false;
    button.textContent = paused ? "Resume" : "Pause";
    status.textContent = paused ? "Paused." : "This page updates every 5 seconds.";
  };

  const replaceChanged = (fresh) => {
    for (const old of document.querySelectorAll("[data-fresh]")) {
      const next = fresh.getElementById(old.id);
      // A part with the focused element is not replaced.
      if (!next || old.contains(document.activeElement) || old.textContent === next.textContent) continue;
      if (old.id === "verdict") announcement.textContent = next.textContent;
      old.replaceChildren(...next.childNodes);
    }
  };

  const refresh = async () => {
    if (paused || document.hidden) return;
    try {
      const response = await fetch("/operations", { headers: { Accept: "text/html" } });
      if (response.redirected) return location.assign(response.url);
      if (!response.ok) throw new Error(response.status);
      const text = await response.text();
      if (!paused) replaceChanged(new DOMParser().parseFromString(text, "text/html"));
      show();
    } catch {
      status.textContent = "No response just now; this page may be out of date.";
    }
  };

  const loop = async () => {
    await refresh();
    setTimeout(loop, INTERVAL_MS);
  };

  button.addEventListener("click", () => {
    paused = !paused;
    show();
  });
  show();
  setTimeout(loop, INTERVAL_MS);
})();
