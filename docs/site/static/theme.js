"use strict";
/* Pictures that have a dark version follow the page's own button, not the system alone. */
addEventListener("DOMContentLoaded", () => {
  const follow = () => {
    const { theme } = document.body.dataset;
    for (const source of document.querySelectorAll("source[media*=prefers-color-scheme]")) {
      source.dataset.media ??= source.media;
      const own = source.dataset.media.includes("dark") ? "dark" : "light";
      const isFixed = theme === "dark" || theme === "light";
      source.media = isFixed ? (theme === own ? "all" : "not all") : source.dataset.media;
    }
  };
  new MutationObserver(follow).observe(document.body, { attributeFilter: ["data-theme"] });
  follow();
});
