// Search and filters over the list of notes. The text of all cards is read when somebody first searches.
(function () {
  var form = document.querySelector(".site-find"), found = form.querySelector(".site-found");
  var rows = Array.prototype.slice.call(document.querySelectorAll("[data-note]"));
  var groups = Array.prototype.slice.call(document.querySelectorAll(".site-topic, .site-shelf"));
  var texts = null, loading = false;

  function words(row, name) { return (row.getAttribute("data-" + name) || "").split(" ").filter(Boolean); }

  function load() {
    if (texts || loading) return;
    loading = true;
    var script = document.createElement("script");
    script.src = "assets/search-index.js";
    script.onload = function () {
      texts = {};
      Object.keys(window.PROOFDECK).forEach(function (id) { texts[id] = window.PROOFDECK[id].toLowerCase(); });
      apply();
    };
    document.head.appendChild(script);
  }

  function matches(row, wanted, terms) {
    var deck = row.getAttribute("data-deck"), covers = words(row, "covers"), kinds = words(row, "kinds");
    if (wanted.deck && deck !== wanted.deck && deck.indexOf(wanted.deck + "::") !== 0) return false;
    if (wanted.tag && words(row, "tags").indexOf(wanted.tag) < 0) return false;
    if (wanted.state && row.getAttribute("data-state") !== wanted.state) return false;
    if (wanted.kind === "none" ? kinds.length : wanted.kind && kinds.indexOf(wanted.kind) < 0) return false;
    if (wanted.covers === "none" && covers.length) return false;
    if (wanted.covers === "some" && !covers.length) return false;
    if (wanted.covers && wanted.covers !== "none" && wanted.covers !== "some" &&
        !covers.some(function (item) { return item.split("/")[0] === wanted.covers; })) return false;
    var id = row.getAttribute("data-note");
    var text = (texts && texts[id] || "") + " " + row.textContent.toLowerCase() + " " + id;
    return terms.every(function (term) { return text.indexOf(term) >= 0; });
  }

  function apply() {
    var wanted = {}, count = 0, any = false;
    Array.prototype.forEach.call(form.elements, function (field) {
      if (field.name) { wanted[field.name] = field.value; any = any || !!field.value; }
    });
    var terms = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
    if (terms.length) load();
    rows.forEach(function (row) {
      var shown = matches(row, wanted, terms);
      row.hidden = !shown;
      count += shown;
    });
    groups.forEach(function (group) {
      group.hidden = any && !group.querySelector("[data-note]:not([hidden])");
    });
    found.textContent = any ? count + " of " + rows.length + " notes" : "";
    var said = Object.keys(wanted).filter(function (name) { return wanted[name]; }).map(function (name) {
      return name + "=" + encodeURIComponent(wanted[name]);
    }).join("&");
    if (said || location.hash) history.replaceState(null, "", "#" + said);
  }

  location.hash.slice(1).split("&").forEach(function (pair) {
    var at = pair.indexOf("="), field = at > 0 && form.elements[pair.slice(0, at)];
    if (field) try { field.value = decodeURIComponent(pair.slice(at + 1)); } catch (_) { /* not ours */ }
  });
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.querySelector("button").addEventListener("click", function () { form.reset(); apply(); });
  apply();
})();
