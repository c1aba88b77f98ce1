package browsertest

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

func TestCallbackFormLeavesTheFileBehind(t *testing.T) {
	for name, size := range map[string]int{"small file": 1 << 10, "photo of a phone": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			s, b := startSite(t), openTab(t)
			s.keepOut("Ravi", "ravi-bill", "kilowatt")
			bill := filepath.Join(t.TempDir(), "ravi-bill.png")
			if err := os.WriteFile(bill, bytes.Repeat([]byte("kilowatt"), size/8), 0o600); err != nil {
				t.Fatalf("writing a file to choose: %v", err)
			}
			b.open(s.pages)
			fillCallback(b, "Ravi", "08123456789")
			b.do(chromedp.SetUploadFiles(chromedp.CSS(byName("bill")), []string{bill}))
			if status := b.press(submitButton); status != http.StatusOK || b.path() != "/thank-you" {
				t.Fatalf("after the form: path %s, status %d", b.path(), status)
			}
			checkCallbackLead(t, s)
			eventually(t, stopTimeout, "the log to tell of the file", func() bool {
				return strings.Contains(s.Log(), `"skipped_files":["bill"]`)
			}, s.Log)
		})
	}
}

// A visitor with a file that is too large gets their form back filled in, even over a slow
// connection.
func TestTooLargeFileTakesNothingElseAlong(t *testing.T) {
	s, b := startSite(t, "max_body 20MB", "max_body 1MB"), openTab(t)
	s.keepOut("Ravi", "08123456789")
	b.withoutScripts()
	call(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: 4 << 20}},
	})
	bill := filepath.Join(t.TempDir(), "bill.png")
	if err := os.WriteFile(bill, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatalf("writing a file to choose: %v", err)
	}
	b.open(s.pages)
	fillCallback(b, "Ravi", "08123456789")
	typed := b.sends()
	b.do(chromedp.SetUploadFiles(chromedp.CSS(byName("bill")), []string{bill}))
	b.witness.expect(s.pages+"/callback", http.StatusRequestEntityTooLarge)
	if status := b.press(submitButton); status != http.StatusRequestEntityTooLarge {
		t.Fatalf("status %d", status)
	}
	checkErrorPage(b)
	if diff := cmp.Diff(typed, b.sends()); diff != "" {
		t.Errorf("the page does not keep what was typed (-typed +kept):\n%s", diff)
	}
	if status := b.press(submitButton); status != http.StatusOK || b.path() != "/thank-you" {
		t.Fatalf("after the form without the file: path %s, status %d", b.path(), status)
	}
	checkCallbackLead(t, s)
}

// If a form posts to an address without a page, errors are shown on the page with the form, every
// time.
func TestErrorPageIsTheOneTheFormIsOn(t *testing.T) {
	s, b := startSite(t), openTab(t)
	b.open(s.pages)
	fillCallback(b, "Ravi", "12345")
	for range 2 {
		b.witness.expect(s.pages+"/callback", http.StatusUnprocessableEntity)
		if status := b.press(submitButton); status != http.StatusUnprocessableEntity {
			t.Fatalf("invalid form: status %d", status)
		}
		if got := evaluate[bool](b, `document.querySelector(".hero") !== null`); !got {
			t.Error("the page is not the home page, which has the form")
		}
		checkErrorPage(b, "phone")
	}
	b.fill(byName("phone"), "08123456789")
	if status := b.press(submitButton); status != http.StatusOK || b.path() != "/thank-you" {
		t.Fatalf("after the corrected form: path %s, status %d", b.path(), status)
	}
	checkCallbackLead(t, s)
}

func fillCallback(b *tab, name, phone string) {
	b.t.Helper()
	b.do(
		chromedp.SendKeys(chromedp.CSS(byName("name")), name),
		chromedp.SendKeys(chromedp.CSS(byName("phone")), phone),
	)
}

// checkCallbackLead expects Ravi's lead with only what he typed and the form's own action.
func checkCallbackLead(t *testing.T, s *site) {
	t.Helper()
	want := sandbox.Lead{
		Fields:     map[string]any{"name": "Ravi", "phone": "918123456789", "source": "Website"},
		Actions:    []sandbox.Action{{Type: "1042", Fields: map[string]any{"note": "Asked to be called back"}}},
		Changes:    []sandbox.Change{},
		Remarks:    []sandbox.Remark{},
		NewOptions: []string{},
	}
	if diff := cmp.Diff(want, withoutIDs(t, s.onlyLead(t))); diff != "" {
		t.Errorf("lead (-want +got):\n%s", diff)
	}
}
