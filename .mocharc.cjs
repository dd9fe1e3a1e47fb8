// mocha adds the specs named here to those on its command line; who names files wants only these.
const namesFiles = process.argv.slice(2).some((argument) => argument.endsWith(".spec.ts"));

module.exports = {
  "node-option": ["import=tsx"],
  spec: namesFiles ? [] : ["spec/**/*.spec.ts"],
  timeout: 10_000,
  forbidOnly: process.env.CI !== undefined,
};
