// Code, tables and formulas that scroll sideways take the focus, so that arrow keys scroll them.
(function () {
  function reach() {
    document.querySelectorAll("pre, table, math[display=block]").forEach(function (box) {
      if (box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX === "auto") box.setAttribute("tabindex", "0");
    });
  }
  reach();
  window.addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);  // it does not bubble
  document.addEventListener("click", reach);
})();
