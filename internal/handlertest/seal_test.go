package handlertest

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const protectBlock = "field phone\nthank_you /thanks\nprotect"

// The trap and the stamp reach neither the lead nor the log.
func TestSealIsNotInTheLead(t *testing.T) {
	for _, block := range []string{"", "unmapped rest"} {
		crm := newCRM(t)
		h := newHandler(t, crm.url, protectBlock+"\n"+block)
		_, stamp := h.seal(t, time.Minute)
		w, _, err := h.serve(postForm(url.Values{"phone": {"8123456789"}, "subject_2": {""}, "_stamp": {stamp}}))
		if err != nil || w.Code != http.StatusSeeOther {
			t.Fatalf("status %d, error %v", w.Code, err)
		}
		if diff := cmp.Diff(map[string]any{"phone": "918123456789"}, crm.Leads()[0].Fields); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if _, has := h.submission(t)["unmapped_inputs"]; has {
			t.Error("the log lists the trap as an unmapped input")
		}
	}
}

// The built-in page contains a seal of its own, which is valid at once.
func TestBuiltinPageIsSealed(t *testing.T) {
	h := newHandler(t, newCRM(t).url, protectBlock)
	w, _, err := h.serve(postForm(url.Values{"phone": {"x"}}))
	if err != nil || w.Code != http.StatusUnprocessableEntity {
		t.Fatalf("status %d, error %v", w.Code, err)
	}
	match := regexp.MustCompile(`(?s)<input type="hidden" name="_stamp" value="([^"]+)">.*<input type="hidden" name="subject_2" value="">`).FindStringSubmatch(w.Body.String())
	if match == nil {
		t.Fatalf("the page does not have a seal:\n%s", w.Body)
	}
	post := url.Values{"phone": {"8123456789"}, "_stamp": {match[1]}, "subject_2": {""}}
	h.mustServe(t, postForm(post))
	if signals, has := h.submission(t)["spam_signals"]; has {
		t.Errorf("a post with the page's seal has spam signals: %v", signals)
	}
}
