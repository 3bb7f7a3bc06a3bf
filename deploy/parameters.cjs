// As `serverless.yml` takes them: the CLI loads no TypeScript by itself, but what it loads may (plugin.cjs says which Node).
const { pathToFileURL } = require("node:url");

module.exports = async ({ resolveVariable }) => {
  const { parametersOf } = require("../adapters/parameters.ts");
  return parametersOf(await resolveVariable("sls:stage"), pathToFileURL(`${process.cwd()}/`));
};
