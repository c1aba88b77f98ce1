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

// nodeTimeout is how long a script may take.
const nodeTimeout = time.Minute

// report is what clients.mjs prints.
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

// answer is Caddy's, as it came.
type answer struct {
	Status int            `json:"status"`
	Body   map[string]any `json:"body"`
}

type libraryError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

var equateEmpty = cmpopts.EquateEmpty()

// installLibraries has what the scripts need.
func installLibraries(t *testing.T) {
	t.Helper()
	caddyproc.Need(t, "node")
	caddyproc.InstallPackages(t)
}

// submit sends a form with a library, as a site's script would.
func submit(t *testing.T, library, base, encoding string, values map[string]string) report {
	t.Helper()
	const script = "clients.mjs"
	// go test sees what the test itself looks at, and forgets a cached result
	// when it changes.
	if _, err := os.Stat(script); err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(map[string]any{"encoding": encoding, "values": values})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), nodeTimeout)
	defer cancel()
	node := exec.CommandContext(ctx, "node", script, library, base, "contact")
	node.Stdin = bytes.NewReader(input)
	var printed, complaints bytes.Buffer
	node.Stdout, node.Stderr = &printed, &complaints
	if err := node.Run(); err != nil {
		t.Fatalf("running %s with Node.js, which has to be there: %v\n%s", script, err, &complaints)
	}
	var r report
	if err := json.Unmarshal(printed.Bytes(), &r); err != nil {
		t.Fatalf("reading what %s printed: %v\n%s", script, err, &printed)
	}
	return r
}

// spoken returns the text that body has under key, which must not be empty.
func spoken(t *testing.T, body map[string]any, key string) string {
	t.Helper()
	text, _ := body[key].(string)
	if text == "" {
		t.Errorf("the answer's %s is %v, want words", key, body[key])
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
	return spoken(t, entry, "message")
}
