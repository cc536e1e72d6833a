// Dark or light, before anything is drawn: as chosen here, else as the system says. Anki's own class does it.
(function () {
  var root = document.documentElement, query = window.matchMedia("(prefers-color-scheme: dark)"), kept = null;
  try { kept = localStorage.getItem("proofdeck-theme"); } catch (_) { /* no storage: follow the system */ }
  function dark() { return kept ? kept === "dark" : query.matches; }
  function apply() {
    root.classList.toggle("nightMode", dark());
    root.style.colorScheme = dark() ? "dark" : "light";
    var button = document.querySelector(".site-theme");
    if (button) button.textContent = dark() ? "Light" : "Dark";
  }
  apply();
  query.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", function () {
    var button = document.querySelector(".site-theme");
    button.hidden = false;
    button.addEventListener("click", function () {
      kept = dark() ? "light" : "dark";
      try { localStorage.setItem("proofdeck-theme", kept); } catch (_) { /* for this page alone */ }
      apply();
    });
    apply();
  });
})();
