"use strict";
// uPlot formats numbers by navigator.language at once, and a POSIX locale such as en-US@posix is none for Intl
try { new Intl.NumberFormat(navigator.language); } catch (error) {
  Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
}
