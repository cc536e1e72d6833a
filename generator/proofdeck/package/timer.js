(function () {
  // how long the spoken answer takes: counts while the front is shown, stays on the back; a tap switches it off
  function begin() {
    var boxes = document.querySelectorAll(".timer"), box = boxes[boxes.length - 1];
    if (!box) return;
    var kept = window.proofdeckTimer = window.proofdeckTimer || {};
    var stores = [];
    ["sessionStorage", "localStorage"].forEach(function (name) {
      try { if (window[name]) stores.push(window[name]); } catch (_) { /* a client may forbid it */ }
    });
    function read(key) {
      if (key in kept) return kept[key];
      for (var i = 0; i < stores.length; i++) {
        try { var found = stores[i].getItem("proofdeck-" + key); if (found !== null) return found; } catch (_) {}
      }
      return null;
    }
    function write(key, value) {
      kept[key] = value;
      stores.forEach(function (store) { try { store.setItem("proofdeck-" + key, value); } catch (_) {} });
    }
    function told(seconds) {
      return Math.floor(seconds / 60) + ":" + ("0" + Math.floor(seconds % 60)).slice(-2);
    }
    var goal = Number(box.getAttribute("data-goal")), back = !!document.getElementById("answer");
    var off = read("timer") === "off";
    if (kept.tick) clearInterval(kept.tick);
    if (back && read("begun") === null) return;  // nobody saw the front begin
    if (!back) write("begun", Date.now());
    else if (read("ended") === null || Number(read("ended")) < Number(read("begun"))) write("ended", Date.now());
    function show() {
      if (!box.isConnected) return clearInterval(kept.tick);
      var end = back ? Number(read("ended")) : Date.now();
      var spent = Math.max(0, (end - Number(read("begun") || end)) / 1000);
      box.textContent = off ? "timer off" : told(spent) + " / " + told(goal);
      box.setAttribute("aria-label", off ? "Switch the timer on" : box.textContent + ", switch the timer off");
      box.classList.toggle("over", !off && spent > goal);
    }
    box.onclick = function (event) {
      event.stopPropagation();
      off = !off;
      write("timer", off ? "off" : "on");
      box.blur();  // or the space bar would press it again instead of showing the answer
      show();
    };
    box.hidden = false;
    show();
    if (!back) kept.tick = setInterval(show, 1000);
  }
  // a client that loads each side as a page runs this before it has read the answer below
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
