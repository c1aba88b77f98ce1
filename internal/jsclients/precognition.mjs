// Has a form checked with Laravel Precognition, then submits it, and prints as JSON what the library
// says.
//
//	node precognition.mjs <URL>
//
// Standard input has the form's values, and the names of the inputs to check, as the library gets
// them when the visitor leaves them:
//
//	{"values": {"name": "..."}, "only": ["name"]}
import { text } from "node:stream/consumers";
import { client, createValidator } from "laravel-precognition";

const [url] = process.argv.slice(2);
const { values, only } = JSON.parse(await text(process.stdin));

const statuses = [];
const send = globalThis.fetch;
globalThis.fetch = async (...request) => {
	const response = await send(...request);
	statuses.push(response.status);
	return response;
};

const validator = createValidator((client) => client.post(url, values));
let passed = false;
await new Promise((resolve, reject) => {
	process.on("unhandledRejection", reject);
	validator.validate({
		only,
		onPrecognitionSuccess: () => { passed = true; },
		onFinish: () => setTimeout(resolve),
	});
});
const submitted = await client.post(url, values, { precognitive: false }).then(
	(response) => response.status,
	(error) => error.response.status,
);
process.stdout.write(JSON.stringify({ passed, errors: validator.errors(), valid: validator.valid(), statuses, submitted }));
