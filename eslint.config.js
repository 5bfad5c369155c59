import js from "@eslint/js";
import globals from "globals";

const rules = { eqeqeq: "error", "no-var": "error", "prefer-const": "error" };

export default [
  js.configs.recommended,
  {
    files: ["pages/**/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    rules,
  },
  {
    files: ["tests/javascript/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: { ...globals.node, ...globals.browser } },
    rules,
  },
];
