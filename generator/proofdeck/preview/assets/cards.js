// Fronts, backs or both, and cards as wide as a phone; kept for the next page.
(function () {
  var tools = document.querySelector(".site-tools"), main = document.getElementById("main");
  var buttons = Array.prototype.slice.call(tools.querySelectorAll("[data-show]"));
  var phone = tools.querySelector("[data-phone]");
  function kept(name) { try { return localStorage.getItem("proofdeck-" + name); } catch (_) { return null; } }
  function keep(name, value) { try { localStorage.setItem("proofdeck-" + name, value); } catch (_) { /* this page */ } }
  function show(what) {
    main.setAttribute("data-sides", what);
    buttons.forEach(function (b) { b.setAttribute("aria-pressed", String(b.getAttribute("data-show") === what)); });
  }
  function narrow(yes) {
    main.classList.toggle("site-phone", yes);
    phone.setAttribute("aria-pressed", String(yes));
  }
  buttons.forEach(function (button) {
    button.addEventListener("click", function () {
      show(button.getAttribute("data-show"));
      keep("sides", button.getAttribute("data-show"));
    });
  });
  phone.addEventListener("click", function () {
    narrow(phone.getAttribute("aria-pressed") !== "true");
    keep("phone", phone.getAttribute("aria-pressed"));
  });
  tools.hidden = false;
  show(kept("sides") || "both");
  narrow(kept("phone") === "true");
})();
