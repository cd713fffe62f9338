// The OpenAPI document, readable, with a form to try each operation. Text only: nothing of an answer is ever run.
let specification;

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== ""));
  return made;
}

function resolve(part) {
  if (!part?.$ref) return part ?? {};
  return part.$ref.slice(2).split("/").reduce((found, step) => found[step], specification);
}

function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    const target = resolve(schema);
    return target.enum ? target.enum.join(" | ") : name;
  }
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type === "object" && schema.additionalProperties) return `map of ${typeOf(schema.additionalProperties)}`;
  const limits = [
    schema.format,
    schema.pattern && `pattern ${schema.pattern}`,
    schema.minimum !== undefined && `≥ ${schema.minimum}`,
    schema.maximum !== undefined && `≤ ${schema.maximum}`,
    schema.maxLength !== undefined && `at most ${schema.maxLength} characters`,
    schema.default !== undefined && `default ${JSON.stringify(schema.default)}`,
  ].filter(Boolean);
  return `${schema.type ?? "any"}${limits.length ? ` (${limits.join(", ")})` : ""}`;
}

function table(headings, rows) {
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", { scope: "col", textContent: text })))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((text) => element("td", { textContent: text ?? "" }))))),
  );
}

function schemasWithin(schema, found = new Map()) {
  if (schema?.$ref) {
    const name = schema.$ref.split("/").at(-1);
    const target = resolve(schema);
    if (found.has(name) || target.enum) return found;
    found.set(name, target);
    return schemasWithin(target, found);
  }
  const inner = [...(schema?.anyOf ?? []), schema?.items, ...Object.values(schema?.properties ?? {})];
  for (const part of inner) if (typeof part === "object") schemasWithin(part, found);
  return found;
}

function schemaDetails(name, schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([field, shape]) => [
    field + (required.has(field) ? "" : " (optional)"),
    typeOf(shape),
    shape.description,
  ]);
  return element(
    "details",
    {},
    element("summary", { textContent: name }),
    schema.description ? element("p", { className: "hint", textContent: schema.description }) : "",
    table(["Field", "Type", "Meaning"], rows),
  );
}

const pretty = (value) => JSON.stringify(value, null, 2);

function answerDetails(status, answer) {
  const parts = Object.entries(answer.content ?? {}).flatMap(([mediaType, content]) => [
    element("p", { className: "hint", textContent: mediaType }),
    content.example === undefined ? "" : element("pre", { textContent: pretty(content.example) }),
    ...(Number(status) < 400 ? [...schemasWithin(content.schema)].map(([name, schema]) => schemaDetails(name, schema)) : []),
  ]);
  return element("details", {}, element("summary", { textContent: `${status} ${answer.description}` }), ...parts);
}

let fields = 0;

function field(label, input) {
  input.id = `field-${++fields}`;
  return element("div", { className: "field" }, element("label", { htmlFor: input.id, textContent: label }), input);
}

function tryForm(method, path, operation) {
  const inputs = (operation.parameters ?? []).map((parameter) => ({
    parameter,
    input: element("input", { required: parameter.required ?? false, autocomplete: "off", spellcheck: false }),
  }));
  const body = operation.requestBody && element("textarea", { spellcheck: false });
  if (body) body.value = pretty(operation.requestBody.content["application/json"].example ?? {});
  const output = element("div", { role: "status" });
  const form = element(
    "form",
    {},
    ...inputs.map(({ parameter, input }) => field(`${parameter.name}${parameter.required ? " (required)" : ""}`, input)),
    body ? field("body", body) : "",
    element("button", { type: "submit", textContent: `Send ${method}` }),
    output,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.replaceChildren(element("p", { className: "hint", textContent: "sending…" }));
    output.replaceChildren(...(await send(method, path, inputs, body)));
  });
  return element("details", {}, element("summary", { textContent: "Try it" }), form);
}

async function send(method, path, inputs, body) {
  const query = new URLSearchParams();
  let address = path;
  for (const { parameter, input } of inputs) {
    if (!input.value) continue;
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else query.append(parameter.name, input.value);
  }
  if (query.size) address += `?${query}`;
  const headers = {};
  const key = byId("key").value.trim();
  if (key) headers.authorization = `Bearer ${key}`;
  if (body) headers["content-type"] = "application/json";
  try {
    const started = performance.now();
    const answer = await fetch(address, { method, headers, body: body?.value });
    const text = await answer.text();
    const shown = ["content-type", "x-request-id", "link", "etag", "retry-after", "www-authenticate"]
      .filter((name) => answer.headers.has(name))
      .map((name) => `${name}: ${answer.headers.get(name)}`);
    let content = text;
    if ((answer.headers.get("content-type") ?? "").includes("json")) content = pretty(JSON.parse(text));
    return [
      element("p", { textContent: `${answer.status} in ${Math.round(performance.now() - started)} ms · ${method} ${address}` }),
      element("pre", { tabIndex: 0, textContent: shown.join("\n") }),
      element("pre", { tabIndex: 0, textContent: content }),
    ];
  } catch (error) {
    return [element("p", { className: "fault", textContent: `${error}` })];
  }
}

function operationDetails(method, path, operation) {
  const rows = (operation.parameters ?? []).map((parameter) => [
    `${parameter.name} (${parameter.in})`,
    typeOf(parameter.schema),
    [parameter.required ? "required" : "", parameter.description ?? ""].filter(Boolean).join("; "),
  ]);
  const isEndless = "text/event-stream" in (operation.responses["200"]?.content ?? {});
  return element(
    "details",
    { id: operation.operationId },
    element(
      "summary",
      {},
      element("span", { className: "method", textContent: method }),
      element("code", { textContent: path }),
      ` ${operation.summary ?? ""}`,
    ),
    operation.description ? element("p", { textContent: operation.description }) : "",
    rows.length ? table(["Parameter", "Type", "Meaning"], rows) : "",
    isEndless ? "" : tryForm(method, path, operation),
    ...Object.entries(operation.responses).map(([status, answer]) => answerDetails(status, answer)),
  );
}

async function load() {
  specification = await (await fetch("/openapi.json")).json();
  byId("about").textContent = `${specification.info.title} ${specification.info.version}. ${specification.info.description}`;
  for (const tag of specification.tags) {
    const operations = Object.entries(specification.paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, operation]) => operation.tags?.includes(tag.name))
        .map(([method, operation]) => operationDetails(method.toUpperCase(), path, operation)),
    );
    if (operations.length) {
      byId("operations").append(
        element("h2", { textContent: tag.name }),
        element("p", { className: "hint", textContent: tag.description }),
        ...operations,
      );
    }
  }
  if (location.hash) byId(location.hash.slice(1))?.setAttribute("open", "");
}

load().catch((error) => {
  byId("about").textContent = `The document cannot be loaded: ${error}`;
});
