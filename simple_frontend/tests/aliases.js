// Resolves imports between packages and texts for Node.js, like `fetch_assets.py` and `tsconfig.json`.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { register } from "node:module";
import { URL } from "node:url";

const HERE = new URL("../../", import.meta.url);
const HOOKS = `
const texts = DATA;
export function resolve(specifier, context, next) {
  const [name, ...rest] = specifier.split("/");
  if (name === "frametally")
    return next("${HERE.href}simple_frontend/frametally_web/static/" + rest.join("/"), context);
  if (/^frametally_[a-z]+$/.test(name))
    return next("${HERE.href}capabilities/" + name + "/page/" + rest.join("/"), context);
  return next(specifier, context);
}
const textOf = (key) =>
  texts[key] ?? { one: texts[key + ".one"], other: texts[key + ".other"] };
export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (loaded.format !== "module" || !loaded.source || !/frametally_/.test(url)) return loaded;
  const source = String(loaded.source).replace(
    /\\bt\\(\\s*"([a-z0-9_.]+)"/g,
    (_, key) => "t(" + JSON.stringify(textOf(key)),
  );
  return { ...loaded, source };
}`;

/** The English texts of all packages. */
function english() {
  const texts = {};
  for (const top of ["simple_frontend", "capabilities"])
    for (const name of readdirSync(new URL(top, HERE)).filter((one) => one.startsWith("frametally_"))) {
      const file = new URL(`${top}/${name}/languages/en.json`, HERE);
      if (existsSync(file)) Object.assign(texts, JSON.parse(readFileSync(file, "utf8")));
    }
  return texts;
}

register(
  `data:text/javascript,${encodeURIComponent(HOOKS.replace("DATA", () => JSON.stringify(english())))}`,
);
