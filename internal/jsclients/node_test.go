package jsclients_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// nodeTimeout bounds the run of a script.
const nodeTimeout = time.Minute

// report is the output of clients.mjs.
type report struct {
	Outcome struct {
		Kind        string                    `json:"kind"`
		Next        string                    `json:"next"`        // formspree
		FormErrors  []libraryError            `json:"formErrors"`  // formspree
		FieldErrors map[string][]libraryError `json:"fieldErrors"` // formspree
		Message     string                    `json:"message"`     // web3forms
		Body        map[string]any            `json:"body"`        // web3forms
	} `json:"outcome"`
	Answer answer `json:"answer"`
}

// answer is Caddy's unchanged answer.
type answer struct {
	Status int            `json:"status"`
	Body   map[string]any `json:"body"`
}

type libraryError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

var equateEmpty = cmpopts.EquateEmpty()

// installLibraries installs what the scripts need.
func installLibraries(t *testing.T) {
	t.Helper()
	caddyproc.Need(t, "node")
	caddyproc.InstallPackages(t)
}

// submit sends a form with a library, like a site's script.
func submit(t *testing.T, library, base, encoding string, values map[string]string) report {
	t.Helper()
	var r report
	runScript(t, "clients.mjs", map[string]any{"encoding": encoding, "values": values}, &r, library, base, "contact")
	return r
}

// runScript runs a script with the input as JSON, and decodes what it prints.
func runScript(t *testing.T, script string, input, output any, arguments ...string) {
	t.Helper()
	// go test only tracks files that the test itself opens, to invalidate cached results.
	if _, err := os.Stat(script); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), nodeTimeout)
	defer cancel()
	node := exec.CommandContext(ctx, "node", append([]string{script}, arguments...)...)
	node.Stdin = bytes.NewReader(text)
	var printed, complaints bytes.Buffer
	node.Stdout, node.Stderr = &printed, &complaints
	if err := node.Run(); err != nil {
		t.Fatalf("running %s with Node.js: %v\n%s", script, err, &complaints)
	}
	if err := json.Unmarshal(printed.Bytes(), output); err != nil {
		t.Fatalf("reading the output of %s: %v\n%s", script, err, &printed)
	}
}

// textOf returns the text under key in body, which must not be empty.
func textOf(t *testing.T, body map[string]any, key string) string {
	t.Helper()
	text, _ := body[key].(string)
	if text == "" {
		t.Errorf("the answer's %s is %v, want text", key, body[key])
	}
	return text
}

// messageOf returns the message of the answer's i-th error.
func messageOf(t *testing.T, body map[string]any, i int) string {
	t.Helper()
	list, _ := body["errors"].([]any)
	if i >= len(list) {
		t.Fatalf("the answer has %d errors, want more than %d", len(list), i)
	}
	entry, _ := list[i].(map[string]any)
	return textOf(t, entry, "message")
}
