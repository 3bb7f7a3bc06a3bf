#!/usr/bin/env node
// The package's command. An older Node would only say "SyntaxError".
if (!process.features.typescript) {
  console.error(
    `Darkroom needs Node 24, and this is ${process.version}. Install it, or one for this project alone:\n` +
      "  npm install --save-dev node@24",
  );
  process.exit(2);
}
void import("./darkroom.js");
