// As `serverless.yml` takes them: the CLI loads no TypeScript by itself, but what it loads may (plugin.cjs says which Node).
module.exports = async ({ resolveVariable }) => {
  const { parametersOf } = require("../adapters/parameters.ts");
  const { PROJECT } = require("../adapters/project.ts");
  return parametersOf(await resolveVariable("sls:stage"), PROJECT);
};
