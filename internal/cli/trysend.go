package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/trial"
	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	// mark says in TeleCRM that a lead is a test.
	mark = "TEST "
	// sendTimeout bounds one request to the running Caddy.
	sendTimeout = 30 * time.Second
	// followInterval is the time between two looks at a lead.
	followInterval = 200 * time.Millisecond
	// exitWaiting is the exit status if the lead still waits.
	exitWaiting = 3
)

// SentTrial says what became of a lead that was sent.
type SentTrial struct {
	ID     string       `json:"id,omitempty"`
	State  outbox.State `json:"state,omitempty"`
	LeadID string       `json:"lead_id,omitempty"`
	Reason string       `json:"reason,omitempty"`
	// Status and Message are the answer of the running Caddy.
	Status  int    `json:"status"`
	Message string `json:"message,omitempty"`
	// Trial is what the post was expected to become.
	Trial *check.Trial `json:"trial"`
}

// sendTrial sends the post to the running Caddy, marked as a test, and follows its lead.
func (t *terminal) sendTrial(ctx context.Context, o tryOptions, config []byte, stage Stage, d *draftedPost, shown *check.Trial) error {
	if shown.Outcome != trial.Sent && shown.Outcome != "asked" {
		return t.printTrial(shown)
	}
	if err := d.mark(shown); err != nil {
		return err
	}
	marked, err := explain(ctx, stage, d)
	if err != nil {
		return err
	}
	if marked.Outcome != trial.Sent && marked.Outcome != "asked" {
		return t.printTrial(marked)
	}
	if !t.json {
		if err := t.printTrialForPeople(marked); err != nil {
			return err
		}
	}
	s := &sender{terminal: t, draft: d, admin: adminOf(config), since: t.now()}
	if err := s.connectTo(ctx, o.url); err != nil {
		return err
	}
	sent, err := s.send(ctx)
	if err != nil {
		return err
	}
	sent.Trial = marked
	if err := s.follow(ctx, o.wait, sent); err != nil {
		return err
	}
	return t.printSent(sent)
}

// adminOf returns the address of the admin endpoint in a config, or "".
func adminOf(config []byte) string {
	var c struct {
		Admin struct {
			Listen string `json:"listen"`
		} `json:"admin"`
	}
	if json.Unmarshal(config, &c) != nil {
		return ""
	}
	return c.Admin.Listen
}

// mark writes the mark before the first text of the post that becomes a text of the lead, the name
// if possible.
func (d *draftedPost) mark(shown *check.Trial) error {
	if d.body != nil {
		d.entries, d.body = nil, nil
		for _, in := range shown.Inputs {
			d.entries = append(d.entries, form.Entry{Name: in.Name, Value: in.Value})
		}
		d.contentType, d.headers = "", nil
	}
	for _, input := range d.form.Texts() {
		i := slices.IndexFunc(d.entries, func(e form.Entry) bool { return e.Name == input && strings.TrimSpace(e.Value) != "" })
		if i >= 0 {
			d.entries[i].Value = mark + d.entries[i].Value
			return nil
		}
	}
	return errors.New("send: nothing in the post can say that it is a test; give a text that becomes part of the lead, such as the name")
}

// sender sends a post to the running Caddy.
type sender struct {
	*terminal
	draft  *draftedPost
	admin  string // address of the admin endpoint in the config, or ""
	origin *url.URL
	http   *http.Client
	since  time.Time
}

// connectTo finds the running Caddy: at the address, or on this machine as the config says.
func (s *sender) connectTo(ctx context.Context, address string) error {
	noRedirects := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.http = &http.Client{Timeout: sendTimeout, CheckRedirect: noRedirects}
	if address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("url: must be an address such as https://www.example.com, got %q", address)
		}
		s.origin = &url.URL{Scheme: u.Scheme, Host: u.Host}
		return nil
	}
	s.origin = s.draft.site.Origin()
	port := s.origin.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[s.origin.Scheme]
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("localhost", port))
		},
	}
	if s.origin.Scheme == "https" {
		transport.TLSClientConfig = &tls.Config{ServerName: s.origin.Hostname(), RootCAs: s.roots(ctx)}
	}
	s.http.Transport = transport
	return nil
}

// roots returns the authorities whose certificates count: those of the system, and Caddy's own.
func (s *sender) roots(ctx context.Context) *x509.CertPool {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	client, err := s.connect(cmp.Or(s.address, s.admin), s.config, s.adapter)
	if err != nil {
		return roots
	}
	if own, err := client.OwnRoot(ctx); err == nil {
		roots.AppendCertsFromPEM([]byte(own))
	}
	return roots
}

// send posts the form as a script of its page does. If it is asked to send it again, it does.
func (s *sender) send(ctx context.Context) (*SentTrial, error) {
	entries := append(slices.Clone(s.draft.entries), s.seal(ctx)...)
	sent, confirm, err := s.post(ctx, entries)
	if err == nil && confirm != "" {
		sent, _, err = s.post(ctx, append(entries, form.Entry{Name: "_confirm", Value: confirm}))
	}
	return sent, err
}

// seal returns the trap and the stamp of the running page.
func (s *sender) seal(ctx context.Context) []form.Entry {
	if !s.draft.form.Protect {
		return nil
	}
	resp, err := s.do(ctx, http.MethodGet, s.draft.page, trial.BrowserHeader(), nil)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	source, err := io.ReadAll(io.LimitReader(resp.Body, trial.MaxPage))
	if err != nil {
		return nil
	}
	forms, err := check.FormsOn(s.draft.site, s.draft.page, source, resp.Header.Get("Content-Type"))
	if err != nil {
		return nil
	}
	var entries []form.Entry
	for _, f := range forms {
		for _, pair := range f.HTML.Defaults() {
			if f.Form == s.draft.form && (pair.Name == guard.StampInput || slices.Contains(guard.Traps(), pair.Name)) {
				entries = append(entries, form.Entry{Name: pair.Name, Value: pair.Value})
			}
		}
		if len(entries) > 0 {
			break
		}
	}
	return entries
}

func (s *sender) do(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.origin.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	req.Header = header
	resp, err := s.http.Do(req)
	if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return nil, fmt.Errorf("send: the certificate of %s is not valid: %w; visitors would be warned of it too", s.origin, wrong)
	}
	if err != nil {
		return nil, fmt.Errorf("send: no Caddy answers at %s; start it, or give the site's address with --url: %w", s.origin, err)
	}
	return resp, nil
}

// post sends the form once. confirm is the value with which it is to be sent again, or "".
func (s *sender) post(ctx context.Context, entries []form.Entry) (sent *SentTrial, confirm string, err error) {
	body, contentType, err := encode(entries, s.draft.isMultipart)
	if err != nil {
		return nil, "", err
	}
	header := trial.PostHeader(s.origin.String(), s.origin.String()+s.draft.page, contentType)
	header.Set("Accept", "application/json")
	resp, err := s.do(ctx, http.MethodPost, s.draft.path, header, body)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	var answer struct {
		ID      string `json:"id"`
		Message string `json:"message"`
		Confirm string `json:"_confirm"`
		Success bool   `json:"success"`
		Errors  []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, trial.MaxPage)).Decode(&answer); err != nil {
		return nil, "", fmt.Errorf("send: %s answers with status %d, and not as the form does; compare the running config with this one",
			s.origin.String()+s.draft.path, resp.StatusCode)
	}
	sent = &SentTrial{ID: answer.ID, Status: resp.StatusCode, Message: answer.Message}
	for _, wrong := range answer.Errors {
		if !strings.Contains(sent.Message, wrong.Message) {
			sent.Message = strings.TrimSpace(sent.Message + " " + wrong.Message)
		}
	}
	if !answer.Success {
		sent.State, sent.Reason = outbox.Parked, sent.Message
	}
	return sent, answer.Confirm, nil
}

// follow waits until the lead has come to its end, or the patience has.
func (s *sender) follow(ctx context.Context, patience time.Duration, sent *SentTrial) error {
	client, err := s.connect(cmp.Or(s.address, s.admin), s.config, s.adapter)
	if err != nil {
		return err
	}
	if sent.ID == "" {
		s.findRefused(ctx, client, sent)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		lead, err := client.Get(ctx, sent.ID)
		if refused, ok := errors.AsType[*adminapi.Error](err); ok {
			sent.Reason = "it was accepted, and is not in the outbox: " + refused.Message
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("send: the running Caddy has accepted %s, which cannot be followed: %w", sent.ID, err)
		}
		if err == nil {
			sent.State, sent.LeadID, sent.Reason = lead.State, lead.LeadID, lead.Reason
			if lead.CreatedAt.Before(s.since) {
				sent.Reason = strings.TrimPrefix(sent.Reason+"; it repeats the post of "+moment(lead.CreatedAt)+", so nothing new was sent", "; ")
			}
		}
		if err == nil && lead.State != outbox.Waiting {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// refusalPatience is how long a refused lead may take to be parked after the answer.
const refusalPatience = 2 * time.Second

// findRefused looks for TeleCRM's reason in the lead that is parked. Other refusals do not have one.
func (s *sender) findRefused(ctx context.Context, client *adminapi.Client, sent *SentTrial) {
	ctx, cancel := context.WithTimeout(ctx, refusalPatience)
	defer cancel()
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		found, err := client.List(ctx, adminapi.Filter{
			State: outbox.Parked, Form: s.draft.form.Name, Since: formatTime(s.since.Add(-time.Second)),
		})
		if err == nil && len(found.Leads) > 0 {
			last := found.Leads[len(found.Leads)-1]
			sent.ID, sent.Reason = last.ID, last.Reason
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// printSent prints what became of the lead, and returns the exit status.
func (t *terminal) printSent(sent *SentTrial) error {
	if t.json {
		if err := t.printJSON(sent); err != nil {
			return err
		}
	} else {
		t.printSentForPeople(sent)
	}
	switch {
	case sent.State == outbox.Delivered, sent.State == "" && sent.ID != "":
		return nil
	case sent.State == outbox.Waiting:
		return &ExitError{exitWaiting}
	}
	return &ExitError{1}
}

func (t *terminal) printSentForPeople(sent *SentTrial) {
	reason := ""
	if sent.Reason != "" {
		reason = ": " + onOneLine(sent.Reason)
	}
	id := ""
	if sent.ID != "" {
		id = " " + sent.ID
	}
	switch sent.State {
	case outbox.Delivered:
		lead := ""
		if sent.LeadID != "" {
			lead = " as lead " + onOneLine(sent.LeadID)
		}
		t.printf("%s%s\n", t.paint(good, "Sent"+id+": TeleCRM has it"+lead), reason)
	case outbox.Waiting:
		t.printf("%s%s\n", t.paint(warn, "Sent"+id+": it waits in the outbox, which keeps trying"), reason)
	case outbox.Parked:
		t.printf("%s%s\n", t.paint(bad, "Not delivered"+id), reason)
	default:
		t.printf("%s%s\n", t.paint(good, "Sent"+id), reason)
	}
}
