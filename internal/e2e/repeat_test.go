package e2e_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// postAs posts a form to a host, from the page in referer.
func (s *server) postAs(t *testing.T, host, path, referer string, values url.Values) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.site+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Referer", referer)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// All enquiries of a person are kept. A double click makes one lead. After an erasure, the same
// enquiry makes a new lead.
func TestFurtherEnquiriesAreKept(t *testing.T) {
	s := serve(t, `telecrm /enquire {
		field name
		field phone
		set page_url {http.request.header.Referer}
		set course {query.course}
		set ref {telecrm.id}
		set sent_at "{time.now.http}"
		on_duplicate park
		rate_limit off
		thank_you /thanks
	}`)
	values := url.Values{"name": {"Meera Iyer"}, "phone": {"08123456789"}}
	post := func(host, path, referer string) {
		t.Helper()
		if status := s.postAs(t, host, path, referer, values); status != http.StatusSeeOther {
			t.Fatalf("status %d", status)
		}
	}
	const pune, delhi = "pune.example.com", "delhi.example.com"
	for range 2 { // each is sent twice
		post(pune, "/enquire", "http://pune.example.com/flats/1")
		post(pune, "/enquire", "http://pune.example.com/flats/2")
		post(pune, "/enquire?course=mba", "http://pune.example.com/flats/2")
		post(pune, "/enquire?course=bba", "http://pune.example.com/flats/2")
		post(delhi, "/enquire?course=bba", "http://pune.example.com/flats/2")
	}
	if leads := s.listed(t); len(leads) != 5 {
		t.Errorf("%d leads, want 5", len(leads))
	}
	s.telecrm(t, "leads", "erase", "--identifier", "+91 81234 56789")
	post(pune, "/enquire", "http://pune.example.com/flats/1")
	if leads := s.listed(t); len(leads) != 1 {
		t.Errorf("%d leads after the erasure, want 1", len(leads))
	}
}
