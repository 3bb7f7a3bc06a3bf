// Resources whose names say which keys they are, which no YAML can.
module.exports = async ({ resolveVariable }) => {
  const { cdnKeyResources } = require("./cdn-keys.ts");
  const of = (variable) => resolveVariable(variable);
  const stack = `${await of("self:service")}-${await of("sls:stage")}`;
  return cdnKeyResources(stack, await of("self:provider.region"), Number(await of("param:cdnKey")));
};
