// How scripts name each other's files, for Node.js: as `fetch_assets.py` and `tsconfig.json` have it.

import { register } from "node:module";
import { URL } from "node:url";

const HERE = new URL("../../", import.meta.url).href;
const RESOLVE = `
export function resolve(specifier, context, next) {
  const [name, ...rest] = specifier.split("/");
  if (name === "frametally")
    return next("${HERE}simple_frontend/frametally_web/static/" + rest.join("/"), context);
  if (/^frametally_[a-z]+$/.test(name))
    return next("${HERE}" + name.slice(11) + "/" + name + "/page/" + rest.join("/"), context);
  return next(specifier, context);
}`;

register(`data:text/javascript,${encodeURIComponent(RESOLVE)}`);
