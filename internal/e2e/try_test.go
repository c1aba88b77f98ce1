package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const tryPage = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Contact</title>
<form method="post" action="/enquire">
<input type="hidden" name="source" value="Landing page">
<label>Name <input name="name" autocomplete="name"></label>
<label>Phone <input name="phone" type="tel" autocomplete="tel"></label>
<label>Plan <select name="plan"><option>Solo<option selected>Team<option>Enterprise plan</select></label>
<button>Send</button></form>`

const tryForm = `
	root * ROOT
	telecrm /enquire {
		field name
		field phone
		field city plan {
			options Solo Team
		}
		action 1042 {
			field note name
		}
		set source {form.source}
		set more "key {env.TELECRM_TEST_TOKEN}"
		thank_you /
		protect
	}
	try_files {path}.html {path}
	file_server`

// exitCode returns the exit status of a command.
func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

// trying runs a Caddy with the page and the form, and returns a function that runs the command.
func trying(t *testing.T, block string, option ...string) (*server, func(args ...string) (string, int)) {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "contact.html"), []byte(tryPage), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, strings.ReplaceAll(block, "ROOT", root), option...)
	return s, func(args ...string) (string, int) {
		t.Helper()
		output, err := s.Run(t.Context(), append([]string{"telecrm", "try", "--config", s.config, "--adapter", "caddyfile"}, args...)...)
		if strings.Contains(output, secretToken) {
			t.Errorf("the token is printed:\n%s", output)
		}
		return output, exitCode(err)
	}
}

// A lead that is sent is the one that was tried, is marked as a test, and is followed to its end.
func TestTrySends(t *testing.T) {
	t.Parallel()
	s, try := trying(t, tryForm)
	page := []string{"--from-page", "/contact", "name=Ravi Menon", "phone=081234 56789"}
	output, status := try(page...)
	for _, want := range []string{
		"source Landing page source", "name Ravi Menon name, action 1042 note", "phone 918123456789 phone input phone, as written in IN", "city Team text input plan",
		"set; the value is not shown", `"more": "key {env.TELECRM_TEST_TOKEN}"`, "protect passes", "spam score 0", "The lead would be sent to TeleCRM:",
	} {
		if !strings.Contains(strings.Join(strings.Fields(output), " "), want) {
			t.Errorf("did not print %q", want)
		}
	}
	if status != 0 || len(s.crm.Leads()) != 0 || s.crm.Requests() != 0 {
		t.Errorf("status %d, and TeleCRM got %d requests:\n%s", status, s.crm.Requests(), output)
	}
	output, status = try(append(page, "--send")...)
	leads := s.crm.Leads()
	if status != 0 || len(leads) != 1 {
		t.Fatalf("status %d, and TeleCRM has %d leads:\n%s", status, len(leads), output)
	}
	if lead := leads[0]; lead.Fields["name"] != "TEST Ravi Menon" || lead.Fields["city"] != "Team" || lead.Fields["source"] != "Landing page" || !strings.Contains(output, "TeleCRM has it as lead "+lead.ID) {
		t.Errorf("TeleCRM has %+v:\n%s", lead, output)
	}
	if output, status = try(append(page, "--send", "--json")...); status != 0 || !strings.Contains(output, `"state":"delivered","lead_id":"`+leads[0].ID+`"`) || !strings.Contains(output, `"trial":{"form":"/enquire"`) {
		t.Errorf("status %d:\n%s", status, output)
	}
	if output, status = try(append(page, "--send")...); status != 0 || len(s.crm.Leads()) != 1 || !strings.Contains(output, "it repeats the post of") {
		t.Errorf("status %d, and TeleCRM has %d leads:\n%s", status, len(s.crm.Leads()), output)
	}
	if output, status = try("--send", "--from-page", "/contact", "name=Ravi", "phone=12"); status != 1 || len(s.crm.Leads()) != 1 || !strings.Contains(output, "To correct") {
		t.Errorf("status %d, and TeleCRM has %d leads:\n%s", status, len(s.crm.Leads()), output)
	}
	if output, status = try("--send", "--from-page", "/contact", "phone=081234 56780", "source="); status != 2 || !strings.Contains(output, "can say that it is a test") {
		t.Errorf("status %d:\n%s", status, output)
	}
}

// An answer that the page itself offers is taken.
func TestTryOfferedAnswer(t *testing.T) {
	t.Parallel()
	_, try := trying(t, tryForm)
	output, status := try("--from-page", "/contact", "name=Ravi Menon", "phone=081234 56789", "plan=Enterprise plan")
	if status != 0 || !strings.Contains(output, "Plan: Enterprise plan") || !strings.Contains(output, "Remark: fields.city: the page offers an answer") {
		t.Errorf("status %d:\n%s", status, output)
	}
	if output, status = try("--from-page", "/contact", "name=Ravi Menon", "phone=081234 56789", "plan=None of them"); status != 1 || !strings.Contains(output, "(plan NOT_AN_OPTION)") {
		t.Errorf("status %d:\n%s", status, output)
	}
}

// TeleCRM's reason and a lead that waits are told apart by the exit status.
func TestTrySendEnds(t *testing.T) {
	t.Parallel()
	s, try := trying(t, tryForm)
	page := func(phone string) []string {
		return []string{"--send", "--wait", "2s", "--from-page", "/contact", "name=Ravi Menon", "phone=" + phone}
	}
	s.crm.Inject(sandbox.Fault{Status: http.StatusBadRequest, Body: `{"error":{"code":"INVALID_PHONE","message":"The phone is wrong"}}`})
	if output, status := try(page("081234 56788")...); status != 1 || !strings.Contains(output, "Not delivered") || !strings.Contains(output, "INVALID_PHONE") {
		t.Errorf("status %d:\n%s", status, output)
	}
	s.crm.Inject(slices.Repeat([]sandbox.Fault{{Status: http.StatusServiceUnavailable}}, 20)...)
	if output, status := try(page("081234 56789")...); status != 3 || !strings.Contains(output, "it waits in the outbox") {
		t.Errorf("status %d:\n%s", status, output)
	}
	s.Stop(t)
	if output, status := try(page("081234 56789")...); status != 2 || !strings.Contains(output, "no Caddy answers at http://localhost:") {
		t.Errorf("status %d:\n%s", status, output)
	}
}

// Suspected spam is asked for again, and sent again; without an outbox, the answer is final.
func TestTrySendsAgain(t *testing.T) {
	t.Parallel()
	s, try := trying(t, strings.Replace(tryForm, "protect", "challenge altcha", 1), "outbox off")
	output, status := try("--send", "--from-page", "/contact", "name=Ravi Menon", "phone=081234 56789")
	if status != 0 || len(s.crm.Leads()) != 1 || !strings.Contains(output, "+5") || !strings.Contains(output, "the outbox is off") {
		t.Errorf("status %d, and TeleCRM has %d leads:\n%s", status, len(s.crm.Leads()), output)
	}
}

// The demo of the repository can be tried as it is.
func TestTryDemo(t *testing.T) {
	t.Parallel()
	caddyproc.LeaveOutIfShort(t)
	s, _ := trying(t, tryForm)
	output, err := s.Run(t.Context(), "telecrm", "try", "--config", "Caddyfile.example", "--adapter", "caddyfile", "--from-page", "/contact", "name=Ravi Menon", "phone=081234 56789", "consent=yes")
	if exitCode(err) != 0 || !strings.Contains(output, `"phone": "918123456789"`) {
		t.Errorf("error %v:\n%s", err, output)
	}
}

// A lead goes over TLS if the certificate is one that visitors believe, or of Caddy's own authority.
func TestTrySendsOverTLS(t *testing.T) {
	t.Parallel()
	s, try := trying(t, tryForm)
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "contact.html"), []byte(tryPage), 0o600); err != nil {
		t.Fatal(err)
	}
	port := caddyproc.FreePort(t)
	secure := "\nhttps://localhost:" + port + " {\n\ttls ISSUER" + strings.ReplaceAll(tryForm, "ROOT", root) + "\n}\n"
	own := filepath.Join(root, "own.pem")
	writeCertificate(t, own, "localhost")
	global := strings.Replace(s.global, "\tdebug\n", "\tdebug\n\tskip_install_trust\n\tauto_https disable_redirects\n\thttps_port "+port+"\n", 1)
	load := func(issuer string) {
		t.Helper()
		if err := os.WriteFile(s.config, []byte(global+strings.Replace(secure, "ISSUER", issuer, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := s.Run(t.Context(), "reload", "--config", s.config, "--adapter", "caddyfile"); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	send := func() (string, int) {
		return try("--send", "--from-page", "/contact", "name=Ravi Menon", "phone=081234 56789")
	}
	load(own + " " + own)
	if output, status := send(); status != 2 || !strings.Contains(output, "the certificate of https://localhost:"+port+" is not valid") || len(s.crm.Leads()) != 0 {
		t.Errorf("status %d:\n%s", status, output)
	}
	load("internal")
	output, status := "", 0
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if output, status = send(); status != 2 { // the certificate may not be issued yet
			break
		}
	}
	if status != 0 || len(s.crm.Leads()) != 1 {
		t.Errorf("status %d, and TeleCRM has %d leads:\n%s", status, len(s.crm.Leads()), output)
	}
}

// writeCertificate writes a key and a certificate for a host that nobody has signed but itself.
func writeCertificate(t *testing.T, file, host string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	content := slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
