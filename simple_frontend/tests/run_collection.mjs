// Runs the Postman collection against a server, as newman would, as far as its checks go:
// node run_collection.mjs FILE URL VIDEO

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

const [file, url, video] = process.argv.slice(2);
const collection = JSON.parse(await readFile(file, "utf-8"));
const variables = new Map(collection.variable.map(({ key, value }) => [key, value]));
variables.set("baseUrl", url);
variables.set("rootUrl", new URL(url).origin);
let failures = 0;
let checks = 0;

/** @param {string} text */
const filled = (text) => text.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => variables.get(name) ?? `{{${name}}}`);

/** @param {{mode: string, raw: string, formdata: {key: string, type: string, disabled?: boolean}[]}} body */
async function sentBody(body) {
    if (body.mode === "raw") return filled(body.raw);
    const form = new FormData();
    for (const { key } of body.formdata.filter(({ disabled }) => !disabled)) {
        form.append(key, new Blob([await readFile(video)]), basename(video));
    }
    return form;
}

const requests = collection.item.filter(({ request }) => request); // folders only contain descriptions
for (const { name, event, request } of requests) {
    const sent = request.url.query.filter(({ disabled }) => !disabled);
    const query = new URLSearchParams(sent.map(({ key, value }) => [key, filled(value)]));
    const headers = Object.fromEntries(request.header.map(({ key, value }) => [key, filled(value)]));
    const response = await fetch(
        `${filled(request.url.host[0])}/${filled(request.url.path.join("/"))}?${query}`,
        {
            method: request.method,
            body: request.body && (await sentBody(request.body)),
            headers,
        },
    );
    const body = Buffer.from(await response.arrayBuffer());
    const pm = {
        collectionVariables: { set: (key, value) => variables.set(key, String(value)) },
        expect: (found) => ({
            to: {
                include: Object.assign((part) => assert.ok(found.includes(part), `${found} has no ${part}`), {
                    all: {
                        keys: (...keys) =>
                            assert.deepEqual(
                                keys.filter((key) => !(key in found)),
                                [],
                            ),
                    },
                }),
            },
        }),
        response: {
            code: response.status,
            headers: response.headers,
            json: () => JSON.parse(body.toString()),
            to: {
                have: {
                    status: (status) => assert.equal(response.status, status, body.toString().slice(0, 300)),
                },
            },
        },
        test(what, check) {
            checks += 1;
            try {
                check();
            } catch (error) {
                failures += 1;
                console.error(`${name}: ${what}: ${error.message}`);
            }
        },
    };
    new Function("pm", event[0].script.exec.join("\n"))(pm);
}
console.log(`${requests.length} requests, ${checks} checks, ${failures} failures`);
process.exitCode = failures ? 1 : 0;
