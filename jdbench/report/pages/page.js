"use strict";
(() => {
  /* Lines, bands and names of an aggregator, in all figures. */
  const marked = (slug) => document.querySelectorAll("svg .agg-" + CSS.escape(slug));
  const entries = [...document.querySelectorAll(".legend .entry")];

  const show = (entry, visible) => {
    entry.setAttribute("aria-pressed", String(visible));
    marked(entry.dataset.agg).forEach((part) => part.classList.toggle("off", !visible));
  };
  const stress = (slug) => {
    document.body.classList.toggle("stressed", slug !== null);
    document.querySelectorAll("svg .agg.on").forEach((part) => part.classList.remove("on"));
    if (slug !== null) {
      marked(slug).forEach((part) => part.classList.add("on"));
    }
  };
  const slugOf = (part) => [...part.classList].find((name) => name.startsWith("agg-")).slice(4);

  entries.forEach((entry) => {
    const slug = entry.dataset.agg;
    entry.addEventListener("click", () => show(entry, entry.getAttribute("aria-pressed") !== "true"));
    entry.addEventListener("mouseenter", () => stress(slug));
    entry.addEventListener("mouseleave", () => stress(null));
  });
  document.querySelectorAll(".legend [data-all]").forEach((button) => {
    button.addEventListener("click", () => entries.forEach((entry) => show(entry, button.dataset.all === "true")));
  });
  document.querySelectorAll("svg .agg:not(.band)").forEach((part) => {
    part.addEventListener("mouseenter", () => stress(slugOf(part)));
    part.addEventListener("mouseleave", () => stress(null));
  });

  /* Numbers before text, and what is no number (a dash) last. */
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    if (Number.isNaN(x) && Number.isNaN(y)) {
      return a === b ? 0 : a < b ? -1 : 1;
    }
    return Number.isNaN(x) ? 1 : Number.isNaN(y) ? -1 : x === y ? 0 : x < y ? -1 : 1;
  };
  document.querySelectorAll("table.sortable").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows];
        const key = (row) => row.cells[column].dataset.key;
        rows.sort((a, b) => (descending ? -1 : 1) * compare(key(a), key(b)));
        table.tBodies[0].append(...rows);
      });
    });
  });
  document.querySelectorAll("button.save").forEach((button) => {
    button.addEventListener("click", () => {
      const svg = button.closest("figure").querySelector("svg");
      const file = new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = button.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  });
  document.documentElement.dataset.ready = "true";
})();
