// The CLI runs on whatever Node started it: one that cannot load TypeScript would only say "SyntaxError".
if (!process.features.typescript) {
  const needed = "Darkroom needs Node 24 here: run `npx serverless`, which takes the one in node_modules";
  // By this name the CLI knows that a stack trace helps nobody.
  throw Object.assign(new Error(`${needed} (this is ${process.version}).`), { name: "ServerlessError" });
}

module.exports = require("./plugin.ts").default;
