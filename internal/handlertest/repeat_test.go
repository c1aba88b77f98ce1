package handlertest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// visit is one post from a page.
type visit struct {
	target  string // default: https://www.example.com/enquire
	referer string
	values  url.Values
}

func (v visit) request() *http.Request {
	r := postForm(v.values)
	if v.target != "" {
		target, err := url.Parse(v.target)
		if err != nil {
			panic(err)
		}
		r.URL, r.Host, r.RequestURI = target, target.Host, target.RequestURI()
	}
	if v.referer != "" {
		r.Header.Set("Referer", v.referer)
	}
	return r
}

// Two posts are one lead if TeleCRM would get the same data from both.
func TestRepeatsAreTheSameLead(t *testing.T) {
	now := time.Now()
	const flat = "https://www.example.com/flats/"
	flats := []visit{{referer: flat + "1", values: meera}, {referer: flat + "2", values: meera}}
	courses := []visit{{target: flat + "?course=mba", values: meera}, {target: flat + "?course=bba", values: meera}}
	hidden := func(name, first, second string) []visit {
		return []visit{{values: with(meera, name, first)}, {values: with(meera, name, second)}}
	}
	same := []visit{{values: meera}, {values: meera}}
	for name, test := range map[string]struct {
		block  string
		visits []visit
		leads  int
	}{
		"different page":  {"set page_url {http.request.header.Referer}", flats, 2},
		"different query": {"set course {query.course}", courses, 2},
		"different query, with Caddy's placeholder": {"set course {http.request.uri.query.course}", courses, 2},
		"different page in an action":               {"action 1042 {\nset note {http.request.header.Referer}\n}", flats, 2},
		"different page next to a time":             {`set note "{time.now.common_log} {http.request.header.Referer}"`, flats, 2},
		"different input in an action":              {"action 1042 {\nfield note message\n}", hidden("message", "a", "b"), 2},
		"different unmapped input":                  {"unmapped more", hidden("flat", "12", "14"), 2},
		"different input with a _":                  {"field flat _flat", hidden("_flat", "12", "14"), 2},
		"different host":                            {"", []visit{{target: "https://pune.example.com/", values: meera}, {target: "https://delhi.example.com/", values: meera}}, 2},
		"different time typed for an action":        {"action 1042 {\nset note {form.when}\n}", hidden("when", "2026-11-25T10:00", "2026-11-25T11:00"), 2},
		"different page that is not sent":           {"", flats, 1},
		"different input that is not sent":          {"", hidden("flat", "12", "14"), 1},
		"same page":                                 {"set page_url {http.request.header.Referer}", []visit{flats[0], flats[0]}, 1},
		"host in capitals":                          {"", []visit{{target: "https://www.example.com/", values: meera}, {target: "https://WWW.example.com:443/", values: meera}}, 1},
		"submission id":                             {"set ref {telecrm.id}", same, 1},
		"submission id in an action":                {"action 1042 {\nset note \"Enquiry {telecrm.id}\"\n}", same, 1},
		"time":                                      {`set note "sent {time.now}, {time.now.unix_ms}, {time.now.http}"`, same, 1},
		"time as a date":                            {"set visited_on {time.now.unix_ms} date", same, 1},
		"request's own values":                      {`set note "{http.request.uuid} {http.request.duration_ms} {http.request.remote.port}"`, same, 1},
		"time in a hidden input":                    {"unmapped more", hidden("ts", fmt.Sprint(now.UnixMilli()), fmt.Sprint(now.UnixMilli()+4)), 1},
		"time in a mapped input":                    {"field sent_at ts", hidden("ts", now.UTC().Format(time.RFC3339Nano), now.UTC().Add(time.Millisecond).Format(time.RFC3339Nano)), 1},
		"time in a template's input":                {`set note "{form.ts} {form.name}"`, hidden("ts", fmt.Sprint(now.Unix()-1), fmt.Sprint(now.Unix())), 1},
		"captcha answer":                            {"unmapped more\nfield proof g-recaptcha-response", hidden("g-recaptcha-response", "a", "b"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, guardedBlock+"on_duplicate park\n"+test.block)
			_, app, _ := withOutbox(t, h)
			for _, v := range test.visits {
				if w := h.mustServe(t, v.request()); w.Code != http.StatusSeeOther {
					t.Fatalf("status %d: %s", w.Code, w.Body)
				}
			}
			if entries := kept(t, app); len(entries) != test.leads {
				t.Errorf("%d leads for two posts, want %d; outcomes %v", len(entries), test.leads, h.outcomes())
			}
		})
	}
}

// The client's port and a proxy's request id differ for every request, and do not make a new lead.
func TestRepeatsOnAnotherConnection(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock+`set note "{http.request.remote} {http.request.header.X-Request-Id}"`)
	_, app, _ := withOutbox(t, h)
	for n := range 2 {
		r := postForm(meera)
		r.RemoteAddr = fmt.Sprint("192.0.2.7:", 40000+n)
		r.Header.Set("X-Request-ID", fmt.Sprint("request ", n))
		h.mustServe(t, r)
	}
	if entries := kept(t, app); len(entries) != 1 {
		t.Errorf("%d leads, want 1", len(entries))
	}
}

// Trapped posts with invalid values are kept as typed, so they are compared as typed.
func TestRepeatsOfTrappedPosts(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock)
	_, app, _ := withOutbox(t, h)
	for _, phone := range []string{"12", "13", "12"} {
		h.mustServe(t, postForm(url.Values{"phone": {phone}, "_gotcha": {"x"}}))
	}
	if entries := kept(t, app); len(entries) != 2 {
		t.Errorf("%d leads, want 2", len(entries))
	}
}

// After an operator removes a lead, the same post is a new lead.
func TestRepeatsOfRemovedLeads(t *testing.T) {
	for what, remove := range map[string]func(*testing.T, *adminapi.Client, string){
		"erase": func(t *testing.T, c *adminapi.Client, _ string) {
			if erased, err := c.Erase(t.Context(), adminapi.Erasure{Identifier: "+91 81234 56789"}); err != nil || erased.Erased != 1 {
				t.Fatalf("erased %+v, error %v", erased, err)
			}
		},
		"discard": func(t *testing.T, c *adminapi.Client, id string) {
			if status, _, body := ask(t, c, http.MethodDelete, adminapi.Prefix+"/leads/"+id, ""); status != http.StatusNoContent {
				t.Fatalf("status %d: %s", status, body)
			}
		},
		"the page's button": func(t *testing.T, c *adminapi.Client, id string) {
			if status, _, body := ask(t, c, http.MethodPost, adminapi.Prefix+"/page/leads/"+id+"/discard", ""); status >= 400 {
				t.Fatalf("status %d: %s", status, body)
			}
		},
	} {
		for kind, values := range map[string]url.Values{"thanked": with(meera, "_gotcha", "x"), "asked": advertised} {
			t.Run(what+", "+kind, func(t *testing.T) {
				h := newHandler(t, newCRM(t).url, guardedBlock)
				_, app, _ := withOutbox(t, h)
				c := adminEndpoint(t)
				h.mustServe(t, postForm(values))
				first := kept(t, app)[0].ID
				remove(t, c, first)
				if entries := kept(t, app); len(entries) != 0 {
					t.Fatalf("kept %+v", entries)
				}
				h.mustServe(t, postForm(values))
				h.mustServe(t, postForm(values))
				if entries := kept(t, app); len(entries) != 1 || entries[0].ID == first {
					t.Errorf("kept %+v; outcomes %v", entries, h.outcomes())
				}
			})
		}
	}
}

// A lead sent without the outbox is still recognized as a repeat, although it cannot be looked up
// there.
func TestRepeatsOfLeadsSentWithoutOutbox(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock)
	guest, _, _ := withOutbox(t, h)
	guest.full.Store(true)
	h.mustServe(t, postForm(meera))
	guest.full.Store(false)
	h.mustServe(t, postForm(meera))
	if want := []string{"created", "repeat"}; !slices.Equal(h.outcomes(), want) || len(crm.Leads()) != 1 {
		t.Errorf("outcomes %v, want %v; %d leads", h.outcomes(), want, len(crm.Leads()))
	}
}

// A visitor who leaves while the same lead is being answered has an outcome too.
func TestVisitorWhoLeavesTheWaitForARepeat(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock)
	answered := make(chan struct{})
	crm.Inject(sandbox.Fault{Delay: 500 * time.Millisecond, Store: true, Status: http.StatusCreated, Body: `{"lead_id":"{lead_id}"}`})
	go func() {
		defer close(answered)
		_, _, _ = h.serve(postForm(meera))
	}()
	eventually(t, "the request of the first post", func() bool { return crm.Requests() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w, _, err := h.serve(postForm(meera).WithContext(ctx))
	if err != nil || w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, error %v", w.Code, err)
	}
	if logged := h.submission(t); logged["outcome"] != string(outcomeUnavailable) || logged["reason"] == nil {
		t.Errorf("logged %v", logged)
	}
	<-answered
}
