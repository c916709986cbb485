"use strict";
/* Sections that fold: a link opens the one that it leads to, and paper has all of them; and text
   that a button copies, without a network and from a file too. */
(() => {
  function reveal() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let fold = target.querySelector("details.fold"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  document.querySelector("nav").addEventListener("click", (event) => {
    if (event.target.hash && event.target.hash === location.hash) setTimeout(reveal); // no change, so no event
  });
  reveal();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")].filter((details) => !details.closest("figure"));
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });

  for (const button of document.querySelectorAll("button.copy")) {
    const title = button.textContent;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      getSelection().selectAllChildren(source);
      let isCopied = document.execCommand("copy"); // the way that a file from disk has in every browser
      if (!isCopied && navigator.clipboard) isCopied = await navigator.clipboard.writeText(source.textContent).then(() => true, () => false);
      if (isCopied) getSelection().removeAllRanges();
      const said = isCopied ? "Copied" : "Selected: copy it with your keyboard";
      button.textContent = said;
      say(said);
      setTimeout(() => { button.textContent = title; }, 2500);
    });
  }
})();
