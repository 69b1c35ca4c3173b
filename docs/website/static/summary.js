// The search shows where a page has what was searched for. It reads the page again for that, which a
// browser does not allow a page that was opened from the disk.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
