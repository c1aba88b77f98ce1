// Submits one form with a client library and prints, as JSON, how the library read the answer.
//
//	node clients.mjs formspree|web3forms <base URL> <form>
//
// Standard input has the form's values and their encoding:
//
//	{"encoding": "json" or "multipart", "values": {"name": "..."}}
import { text } from "node:stream/consumers";
import { createClient, isSubmissionError } from "@formspree/core";
import useWeb3Forms from "@web3forms/react";

const [library, base, form] = process.argv.slice(2);
const { encoding, values } = JSON.parse(await text(process.stdin));

// web3forms has its service's address built in. Only the address of a request is changed; the answer is recorded
// unchanged.
const web3formsURL = "https://api.web3forms.com/submit";
let answer;
const send = globalThis.fetch;
globalThis.fetch = async (url, init) => {
	const response = await send(url === web3formsURL ? `${base}/f/${form}` : url, init);
	answer = { status: response.status, body: await response.clone().json() };
	return response;
};

async function formspree() {
	const result = await createClient().submitForm(form, encoded(), { endpoint: base });
	if (!isSubmissionError(result)) {
		return { kind: result.kind, next: result.next };
	}
	return {
		kind: result.kind,
		formErrors: result.getFormErrors(),
		fieldErrors: Object.fromEntries(result.getAllFieldErrors()),
	};
}

function encoded() {
	if (encoding !== "multipart") {
		return values;
	}
	const data = new FormData();
	for (const [name, value] of Object.entries(values)) {
		data.append(name, value);
	}
	return data;
}

function web3forms() {
	return new Promise((resolve, reject) => {
		const { submit } = useWeb3Forms({
			access_key: "00000000-0000-4000-8000-000000000000",
			settings: { ccemail: "sales@example.org", webhook: "https://hooks.example.org/" },
			onSuccess: (message, body) => resolve({ kind: "success", message, body }),
			onError: (message, body) => resolve({ kind: "error", message, body }),
		});
		submit(values).catch(reject);
	});
}

const libraries = { formspree, web3forms };
const outcome = await libraries[library]();
process.stdout.write(JSON.stringify({ outcome, answer }));
