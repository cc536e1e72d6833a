// Keeps this page up to date while `proofdeck preview --serve` runs; does nothing where the site lies on a disk.
(() => {
  "use strict";
  if (!location.protocol.startsWith("http")) return;

  const nameOf = (url) => {
    const path = decodeURIComponent(new URL(url, location.href).pathname);
    return (path.endsWith("/") ? path + "index.html" : path).slice(1);
  };
  const page = nameOf(location.href);
  const place = "proofdeck-place " + page;

  // A <details> is known by the nearest id around it and its place among the others there.
  const keysOf = () => {
    const counts = new Map();
    return [...document.querySelectorAll("details")].map((details) => {
      const around = details.closest("[id]")?.id ?? "";
      const count = counts.get(around) ?? 0;
      counts.set(around, count + 1);
      return [`${around} ${count}`, details];
    });
  };

  const reload = () => {
    const open = Object.fromEntries(keysOf().map(([key, details]) => [key, details.open]));
    sessionStorage.setItem(place, JSON.stringify({ x: scrollX, y: scrollY, open }));
    history.scrollRestoration = "manual";
    location.reload();
  };

  const restore = () => {
    const kept = JSON.parse(sessionStorage.getItem(place));
    sessionStorage.removeItem(place);
    if (!kept) return;
    for (const [key, details] of keysOf()) if (key in kept.open) details.open = kept.open[key];
    const scroll = () => scrollTo({ left: kept.x, top: kept.y, behavior: "instant" });
    scroll();
    // again when pictures have their heights; from then on the browser may do it
    addEventListener("load", () => {
      scroll();
      history.scrollRestoration = "auto";
    });
  };

  // This page, and whatever it shows or runs.
  const shown = () => {
    const parts = document.querySelectorAll("img[src], script[src], link[rel~=stylesheet][href]");
    const urls = [...parts].map((part) => part.src || part.href);
    const fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
    return new Set([page, ...[...urls, ...fetched].filter((url) => url.startsWith(location.origin)).map(nameOf)]);
  };

  let box = null;
  const clear = () => {
    box?.remove();
    box = null;
  };
  const show = (text) => {
    clear();
    box = document.createElement("div");
    box.className = "site-failure";
    box.setAttribute("role", "alert");
    box.tabIndex = 0;
    box.style.cssText =
      "position:sticky;top:0;z-index:1000;max-height:50vh;overflow:auto;padding:.75rem 1rem;" +
      "border-bottom:3px solid #b3261e;background:#fff1f0;color:#5f0f0a;font:14px/1.5 ui-monospace,monospace;" +
      "white-space:pre-wrap;overflow-wrap:anywhere";
    box.textContent = "The last build failed; the site stays as it was.\n" + text;
    document.body.prepend(box);
  };

  let source = null;
  let heard = false;
  const listen = () => {
    // browsers allow few connections to one host: a page that nobody sees needs none
    if (source || document.hidden) return;
    const navigation = performance.getEntriesByType("navigation")[0];
    const timing = navigation?.serverTiming?.find((entry) => entry.name === "page");
    const query = new URLSearchParams({ page, shows: timing?.description ?? "" });
    source = new EventSource("/__events?" + query);
    source.addEventListener("reload", (event) => {
      heard = true;
      clear();
      const parts = shown();
      if (JSON.parse(event.data).changed.some((name) => parts.has(name))) {
        leave();
        reload();
      }
    });
    source.addEventListener("problem", (event) => {
      heard = true;
      show(JSON.parse(event.data).text);
    });
    // the browser tries again by itself, unless it takes the answer for final
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      leave();
      if (heard) setTimeout(listen, 1000);
    });
  };
  const leave = () => {
    source?.close();
    source = null;
  };

  restore();
  listen();
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
  addEventListener("pagehide", leave);
  addEventListener("pageshow", listen);
})();
