package rehearse_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/internal/rehearse"
	"github.com/leadwire/caddy-telecrm/internal/trial"
)

// open opens a Caddyfile, in which ROOT is the folder of a site, and BACKEND counts its requests.
func open(t *testing.T, source string) (stage *rehearse.Stage, requests *atomic.Int64) {
	t.Helper()
	root := t.TempDir()
	for name, page := range map[string]string{"contact.html": `<form method="post" action="/enquire"><input name="phone"></form>`, "note.txt": "a note"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	requests = new(atomic.Int64)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(backend.Close)
	source = strings.NewReplacer("ROOT", root, "BACKEND", backend.URL).Replace(source)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(source), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	if stage, err = rehearse.Open(adapted); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	})
	return stage, requests
}

func post(address string) trial.Post {
	return trial.Post{
		URL: address, Header: trial.PostHeader("http://localhost:8080", "http://localhost:8080/contact", "application/x-www-form-urlencoded"),
		Body: []byte("phone=081234+56789"),
	}
}

const form = `
	telecrm /enquire {
		token {env.REHEARSE_NO_SUCH_TOKEN}
		enterprise_id {env.REHEARSE_NO_SUCH_ID}
		base_url BACKEND/autoupdate/v2
		country IN
		field phone
		set page {http.request.header.Referer}
		challenge turnstile {
			secret {env.REHEARSE_NO_SUCH_SECRET}
			verify_url BACKEND
		}
		thank_you /
		protect
	}`

// The config's own handlers judge the post: before and after the form's, in blocks and on all hosts.
// Secrets need not be there.
func TestTry(t *testing.T) {
	for name, source := range map[string]string{
		"site":               `:8080 {` + form + "\n}",
		"handle":             `:8080 { ` + "\nhandle /x {\nrespond hi\n}\nhandle {" + form + "\n}\n}",
		"host and log":       "{\nlog {\noutput file /nonexistent/folder/log\n}\nstorage file_system /nonexistent\n}\nexample.com, localhost {\nlog\ntls /nonexistent/cert.pem /nonexistent/key.pem" + form + "\n}",
		"forward_auth":       ":8080 {\nforward_auth BACKEND {\nuri /auth\n}" + form + "\n}",
		"basic_auth":         ":8080 {\nbasic_auth {\nbob $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n}" + form + "\n}",
		"stand-in":           ":8081 {\ntelecrm_sandbox {\ntoken {env.REHEARSE_NO_SUCH_TOKEN}\nenterprise_id 66aa00bb11cc22dd33ee44ff\n}\n}\n:8080 {" + form + "\n}",
		"proxy for the rest": ":8080 {" + form + "\nreverse_proxy BACKEND\n}",
	} {
		t.Run(name, func(t *testing.T) {
			stage, requests := open(t, source)
			record := &trial.Record{Seal: true}
			if err := stage.Try(t.Context(), post("http://localhost/enquire"), record); err != nil {
				t.Fatal(err)
			}
			if record.Form != "/enquire" || record.Outcome != "asked" || record.Draft.Lead.Fields["phone"] != "918123456789" || record.Draft.Lead.Fields["page"] != "http://localhost:8080/contact" {
				t.Errorf("got %+v", record)
			}
			if requests.Load() > 0 {
				t.Errorf("%d requests were sent", requests.Load())
			}
		})
	}
}

// A post that no form takes goes nowhere.
func TestTryReachesNothingElse(t *testing.T) {
	for name, source := range map[string]string{
		"proxy":          ":8080 {" + form + "\nreverse_proxy BACKEND\n}",
		"proxy in front": ":8080 {\nroute {\nreverse_proxy BACKEND" + form + "\n}\n}",
		"respond":        ":8080 {\nroute {\nrespond /other no 418" + form + "\n}\n}",
		"error":          ":8080 {\nroute {\nerror /other no 418" + form + "\n}\n}",
	} {
		stage, requests := open(t, source)
		record := new(trial.Record)
		err := stage.Try(t.Context(), post("http://localhost/other"), record)
		if err == nil || record.Form != "" || requests.Load() > 0 {
			t.Errorf("%s: form %q, error %v, %d requests", name, record.Form, err, requests.Load())
		}
		if strings.Contains(source, "418") && !strings.Contains(err.Error(), "status 418") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Pages are those that the site serves.
func TestPage(t *testing.T) {
	stage, _ := open(t, ":8080 {\nroot * ROOT"+form+"\ntry_files {path}.html {path}\nfile_server\n}")
	page, err := stage.Page(t.Context(), "http://localhost:8080/contact")
	if err != nil || !strings.Contains(string(page.Body), `name="_stamp"`) || !strings.HasPrefix(page.ContentType, "text/html") {
		t.Errorf("got %s %s, error %v", page.ContentType, page.Body, err)
	}
	if _, err := stage.Page(t.Context(), "http://localhost:8080/nothing"); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, adapted := range map[string]string{
		"not JSON":        "{",
		"not provisioned": `{"apps":{"http":{"servers":{"a":{"routes":[{"handle":[{"handler":"telecrm"}]}]}}}}}`,
		"unknown handler": `{"apps":{"http":{"servers":{"a":{"routes":[{"handle":[{"handler":"no_such_handler"}]}]}}}}}`,
	} {
		if stage, err := rehearse.Open([]byte(adapted)); err == nil {
			_ = stage.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
