// The search shows where a page has what was searched for. It reads the page again for that, which a
// browser does not allow a page that was opened from the disk.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// What scrolls sideways can be reached by the keyboard, which then scrolls it.
function reachable() {
  for (const one of document.querySelectorAll("pre, .table-wrapper, .output")) {
    if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
    else one.removeAttribute("tabindex");
  }
}
addEventListener("load", reachable);
addEventListener("resize", reachable);
