// Starts the design system's components. A file of its own: the pages allow no inline script.
import { initAll } from "./vendor/nhsuk-frontend.min.js";

document.body.classList.add("js-enabled", "nhsuk-frontend-supported");
initAll();

// After a check the opened plan is what the person needs; the design system itself focuses error summaries.
document.querySelector("[data-focus]")?.focus();
