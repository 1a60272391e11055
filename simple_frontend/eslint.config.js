import js from "@eslint/js";
import globals from "globals";

export default [
  {
    ignores: [
      "simple_frontend/build/",
      "simple_frontend/frametally_web/static/built/",
      "simple_frontend/types/",
    ],
  },
  js.configs.recommended,
  { files: ["simple_frontend/tests/**/*.mjs"], languageOptions: { globals: globals.node } },
  {
    files: [
      "simple_frontend/frametally_web/static/**/*.js",
      "{simple_frontend,capabilities}/frametally_*/page/**/*.js",
    ],
    languageOptions: { globals: globals.browser },
    rules: {
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({
          property,
          message: "Text from the data enters the page as text: use el() of shared/dom.js.",
        })),
      ],
      complexity: ["error", 16],
      eqeqeq: "error",
      "max-lines": ["error", 400],
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
