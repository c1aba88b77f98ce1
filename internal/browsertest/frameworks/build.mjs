// Renders the same form with several frameworks, as their users do on a server, and bundles the
// script with which the framework takes over the page in the browser.
//
// node build.mjs <folder> writes <folder>/<name>.html and <folder>/<name>.js.
import {build} from "esbuild";
import {compile} from "svelte/compiler";
import {createSSRApp} from "vue";
import {renderToString as renderVue} from "vue/server-renderer";
import {mkdir, readFile, writeFile} from "node:fs/promises";
import {createRequire} from "node:module";
import path from "node:path";
import {pathToFileURL} from "node:url";

const folder = path.resolve(process.argv[2]);
const here = import.meta.dirname;
await mkdir(folder, {recursive: true});

// Both the server and the browser run this. "ready" tells the test that the script has taken over.
const react = `
import {createElement as h, useEffect, useState} from "react";
export function Contact() {
	const [phone, setPhone] = useState("");
	useEffect(() => { document.documentElement.dataset.ready = "yes"; }, []);
	return h("section", null, h("h1", null, "Contact ", "us"),
		h("form", {method: "post", action: "/enquire"},
			h("label", {htmlFor: "name"}, "Name"), h("input", {id: "name", name: "name", autoComplete: "name"}),
			h("label", {htmlFor: "phone"}, "Phone"), h("input", {id: "phone", name: "phone", value: phone, onChange: e => setPhone(e.target.value)}),
			h("button", null, "Send")));
}
export function Clock() {
	const [years, setYears] = useState(0);
	useEffect(() => { setYears(7); document.documentElement.dataset.ready = "yes"; }, []);
	return h("p", null, "Open since ", years, " years");
}
export function Document() {
	return h("html", {lang: "en"}, h("head", null, h("meta", {charSet: "utf-8"}), h("title", null, "Contact")),
		h("body", null, h(Contact), h("script", {src: "/" + NAME + ".js", async: true})));
}`;

const vue = {
	data: () => ({phone: ""}),
	mounted() { document.documentElement.dataset.ready = "yes"; },
	template: `<h1>Contact</h1>
<form method="post" action="/enquire">
	<label for="name">Name</label> <input id="name" name="name">
	<label for="phone">Phone</label> <input id="phone" name="phone" v-model="phone">
	<button>Send</button>
</form>`,
};

const svelte = `<script>
	import {onMount} from "svelte";
	let phone = $state("");
	onMount(() => { document.documentElement.dataset.ready = "yes"; });
</script>
<h1>Contact</h1>
<form method="post" action="/enquire">
	<label for="name">Name</label> <input id="name" name="name">
	<label for="phone">Phone</label> <input id="phone" name="phone" bind:value={phone}>
	<button>Send</button>
</form>`;

// bundle returns a script for the browser, or a module for this process.
async function bundle(contents, resolveDir, options) {
	const {outputFiles} = await build({stdin: {contents, resolveDir}, bundle: true, write: false, logLevel: "error", ...options});
	return outputFiles[0].text;
}

const forBrowser = name => ({format: "iife", platform: "browser", conditions: ["browser"], define: defines(name)});
const forNode = name => ({format: "cjs", platform: "node", define: defines(name)});
const defines = name => ({
	"process.env.NODE_ENV": '"development"', NAME: JSON.stringify(name), __VUE_OPTIONS_API__: "true", __VUE_PROD_DEVTOOLS__: "false",
	__VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "true",
});

// load runs a module and returns what it exports.
function load(code) {
	const module = {exports: {}};
	new Function("module", "exports", "require", code)(module, module.exports, createRequire(import.meta.url));
	return module.exports;
}

const page = (body, script) => `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Contact</title>
</head>
<body>
${body}
${script}
</body>
</html>
`;

async function write(name, html, script) {
	await writeFile(path.join(folder, name + ".html"), html);
	if (script) await writeFile(path.join(folder, name + ".js"), script);
}

async function renderReact(name, dir, component) {
	const code = await bundle(`${react}
		import {renderToString} from "react-dom/server";
		export const html = renderToString(h(${component}));`, dir, forNode(name));
	return load(code).html;
}

for (const [version, dir] of [["react18", path.join(here, "react18")], ["react19", here]]) {
	const client = (name, component, root) => bundle(`${react}
		import {hydrateRoot} from "react-dom/client";
		hydrateRoot(${root}, h(${component}));`, dir, forBrowser(name));

	let name = version + "-root";
	await write(name, page(`<div id="root">${await renderReact(name, dir, "Contact")}</div>`, `<script src="/${name}.js"></script>`),
		await client(name, "Contact", `document.getElementById("root")`));
	name = version + "-part";
	await write(name, page(`<header>\n<p>Static</p>\n</header>\n<main>\n<div id="enquiry">${await renderReact(name, dir, "Contact")}</div>\n</main>`, `<script src="/${name}.js"></script>`),
		await client(name, "Contact", `document.getElementById("enquiry")`));
	name = version + "-document";
	await write(name, "<!DOCTYPE html>" + await renderReact(name, dir, "Document"), await client(name, "Document", "document"));

	// A widget beside a form that it does not rebuild.
	name = version + "-widget";
	await write(name, page(`<div id="clock">${await renderReact(name, dir, "Clock")}</div>\n${staticForm()}`, `<script src="/${name}.js"></script>`),
		await client(name, "Clock", `document.getElementById("clock")`));
}

function staticForm(attribute = "") {
	return `<main>
<h1>Contact</h1>
<form method="post" action="/enquire">
<label for="name">Name</label> <input id="name" name="name">
<label for="phone">Phone</label> <input id="phone" name="phone"${attribute}>
<button>Send</button>
</form>
</main>`;
}

await write("vue", page(`<div id="app">${await renderVue(createSSRApp(vue))}</div>`, `<script type="module" src="/vue.js"></script>`),
	await bundle(`import {createSSRApp} from "vue/dist/vue.esm-bundler.js";
		createSSRApp({data: () => ({phone: ""}), mounted() { document.documentElement.dataset.ready = "yes"; }, template: ${JSON.stringify(vue.template)}}).mount("#app");`, here, forBrowser("vue")));

const compiled = generate => compile(svelte, {generate, filename: "Contact.svelte"}).js.code;
await writeFile(path.join(here, "node_modules", ".contact-server.mjs"), compiled("server"));
const {render} = await import("svelte/server");
const {default: Contact} = await import(pathToFileURL(path.join(here, "node_modules", ".contact-server.mjs")));
await write("svelte", page(`<div id="svelte-contact">${render(Contact).body}</div>`, `<script type="module" src="/svelte.js"></script>`),
	await bundle(`${compiled("client").replace("export default function Contact", "function Contact")}
		import {hydrate} from "svelte"; hydrate(Contact, {target: document.getElementById("svelte-contact")});`, here, forBrowser("svelte")));

// An island as Astro writes it. Its runtime loads the component and the renderer.
const runtime = async file => (await import(pathToFileURL(path.join(here, "astro", "node_modules", "astro", "dist", "runtime", file)))).default;
const island = (html, after = "") => page(`<style>astro-island,astro-slot{display:contents}</style>
<script>PLACE</script>
<main>
<astro-island uid="Z1" prefix="r0" component-url="/astro-component.js" component-export="Contact" renderer-url="/astro-renderer.js" props="{}" ssr client="load" opts="{&quot;name&quot;:&quot;Contact&quot;,&quot;value&quot;:true}" await-children>${html}<!--astro:end--></astro-island>
${after}</main>`, "").replace("PLACE", () => loadScript);
const loadScript = await runtime("client/load.prebuilt.js") + await runtime("server/astro-island.prebuilt.js");
await write("astro", island(await renderReact("astro", here, "Contact")));
const asModule = name => ({...forBrowser(name), format: "esm"});
await writeFile(path.join(folder, "astro-component.js"), await bundle(`${react}
	import {hydrateRoot} from "react-dom/client";
	export const start = (element, Component) => hydrateRoot(element, h(Component));`, here, asModule("astro")));
await writeFile(path.join(folder, "astro-renderer.js"), `import {start} from "/astro-component.js";
export default element => Component => start(element, Component);`);

// An island beside a static form.
await write("astro-beside", island(await renderReact("astro-beside", here, "Clock"), staticForm().replace(/<\/?main>/g, "")).replace('component-export="Contact"', 'component-export="Clock"'));

await write("alpine", page(`<div x-data="{phone: ''}" x-init="document.documentElement.dataset.ready = 'yes'">\n${staticForm(' x-model="phone"')}\n</div>`, `<script defer src="/alpine.js"></script>`),
	await readFile(path.join(here, "node_modules", "alpinejs", "dist", "cdn.min.js"), "utf8"));
await write("alpine-around", page(`<div x-data="{open: false}" x-init="document.documentElement.dataset.ready = 'yes'">\n<p x-show="open">Open</p>\n</div>\n${staticForm()}`, `<script defer src="/alpine.js"></script>`));
await write("static", page(staticForm(), `<script src="/static.js"></script>`), `document.documentElement.dataset.ready = "yes";`);
