package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	secretAsyncToken = "77777777-6666-5555-1700000000000:33333333-2222-1111"
	secretSiteSecret = "0x4AAAAAAAsite5ecretOfTheChallenge0123"
)

const watchedSite = `
	log
	telecrm /contact {
		field name
		field phone
		field email
		field rating rating
		action 1042 {
			field note message
		}
		on_duplicate park
		rate_limit off
		thank_you /thank-you
	}
	telecrm /challenged {
		field name
		field phone
		challenge turnstile {
			secret {env.TELECRM_TEST_SITE}
			verify_url {env.TELECRM_TEST_VERIFY}
		}
		thank_you /thank-you
	}
	telecrm /async {
		account async
		field name
		field phone
		field email
		rate_limit off
		thank_you /thank-you
	}
	telecrm /down {
		account down
		field name
		field phone
		field email
		deliver now 200ms
		rate_limit off
		thank_you /thank-you
	}
	handle_errors {
		respond "{err.message}"
	}`

// visitors maps outcomes to what visitors typed. The values are unique to this test.
var visitors = map[string]url.Values{
	"created":   {"name": {"Zenobia Quartermaine"}, "phone": {"081234 56701"}, "email": {"zq@quartermaine.example"}, "message": {"a gazebo of glass"}},
	"remarked":  {"name": {"Ottoline Fairweather"}, "phone": {"081234 56702"}, "email": {"of@fairweather.example"}, "message": {"forty lanterns"}, "stray": {"left luggage"}},
	"invalid":   {"name": {"Peregrine Ashdown"}, "phone": {"nine hundred"}, "email": {"pa at ashdown.example"}, "message": {"a velvet rope"}},
	"duplicate": {"name": {"Zuleika Quartermaine"}, "phone": {"081234 56701"}, "email": {"zuq@quartermaine.example"}, "message": {"a second gazebo"}},
	"refused":   {"name": {"Barnaby Thistlewood"}, "phone": {"081234 56703"}, "email": {"bt@thistlewood.example"}, "message": {"some brass cogs"}},
	// The verifier's answer repeats everything it was sent.
	"challenged": {"name": {"Thaddeus Merriweather"}, "phone": {"081234 56708"}, "cf-turnstile-response": {"XXXX.CHALLENGE.ANSWER.XXXX"}},
	"async":      {"name": {"Cosima Larkspur"}, "phone": {"081234 56704"}, "email": {"cl@larkspur.example"}},
	"down":       {"name": {"Isidore Penhaligon"}, "phone": {"081234 56705"}, "email": {"ip@penhaligon.example"}},
	"held":       {"name": {"Marguerite Osgood"}, "phone": {"081234 56706"}, "email": {"mo@osgood.example"}, "message": {"nine umbrellas"}},
	"broken":     {"name": {"Ferdinand Wetherby"}, "phone": {"081234 56707"}, "email": {"fw@wetherby.example"}},
}

// secrets returns the tokens and everything that visitors typed, in all spellings used on the way.
func secrets() []string {
	list := []string{secretToken, secretAsyncToken, secretSiteSecret}
	for _, values := range visitors {
		for _, typed := range values {
			list = append(list, typed[0], url.QueryEscape(typed[0]), strings.ToLower(typed[0]))
		}
	}
	return append(list, "Quartermaine", "81234567", "81234 567")
}

// quoting makes a fault's body repeat the lead and the token, as an API may do.
func quoting(fault sandbox.Fault, values url.Values) sandbox.Fault {
	quoted := secretToken
	for input, typed := range values {
		if input == "phone" { // sent as digits with the country code
			quoted += " 91" + strings.ReplaceAll(typed[0][1:], " ", "")
		} else if input != "stray" {
			quoted += " " + typed[0]
		}
	}
	for _, words := range []string{"Rating must", "The lead identifier", "Invalid access"} {
		fault.Body = strings.ReplaceAll(fault.Body, words, quoted+" "+words)
	}
	return fault
}

// watched returns a server that has produced all outcomes of a submission.
func watched(t *testing.T) *server {
	t.Helper()
	async := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"status":"success"}`)
	}))
	t.Cleanup(async.Close)
	t.Setenv("TELECRM_TEST_ASYNC", secretAsyncToken)
	verifier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		http.Error(w, r.PostForm.Encode()+" "+r.PostForm.Get("secret"), http.StatusBadGateway)
	}))
	t.Cleanup(verifier.Close)
	t.Setenv("TELECRM_TEST_SITE", secretSiteSecret)
	t.Setenv("TELECRM_TEST_VERIFY", verifier.URL)
	s := serve(t, watchedSite, fmt.Sprintf(`
		account async {
			async_token {env.TELECRM_TEST_ASYNC}
			enterprise_id %[1]s
			async_base_url %[2]s
			country IN
		}
		account down {
			token {env.TELECRM_TEST_TOKEN}
			enterprise_id %[1]s
			base_url http://127.0.0.1:%[3]s
			country IN
		}`, enterpriseID, async.URL, caddyproc.FreePort(t)))
	faults := sandbox.Faults()
	for _, step := range []struct {
		visitor, path, fault string
		status               int
	}{
		{"created", "/contact", "", http.StatusSeeOther},
		{"remarked", "/contact", sandbox.FaultRemarks, http.StatusSeeOther},
		{"invalid", "/contact", "", http.StatusUnprocessableEntity},
		{"duplicate", "/contact", "", http.StatusSeeOther},
		{"refused", "/contact", sandbox.FaultInvalidLead, http.StatusUnprocessableEntity},
		{"challenged", "/challenged", "", http.StatusSeeOther},
		{"async", "/async", "", http.StatusSeeOther},
		{"down", "/down", "", http.StatusSeeOther},
		{"held", "/contact", sandbox.FaultUnauthorizedToken, http.StatusSeeOther},
	} {
		if step.fault != "" {
			s.crm.Inject(quoting(faults[step.fault], visitors[step.visitor]))
		}
		if got := s.post(t, step.path, visitors[step.visitor]); got.status != step.status {
			t.Fatalf("%s: status %d, want %d\n%s", step.visitor, got.status, step.status, s.Log())
		}
		s.awaitLogged(t, map[string]string{
			"duplicate": "lead parked", "held": "does not accept leads", "down": "lead waiting",
		}[step.visitor], 1)
	}
	for _, contentType := range []string{"application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x"} {
		body := visitors["broken"].Encode() + "&x=%00"
		resp, err := http.Post(s.site+"/contact", contentType, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("malformed body of type %s: status %d", contentType, resp.StatusCode)
		}
	}
	// Visitors are answered before the access log is written.
	s.awaitLogged(t, `"telecrm_id"`, watchedPosts)
	return s
}

// watchedPosts is the number of posts to a watched server.
const watchedPosts = 12

func (s *server) awaitLogged(t *testing.T, words string, times int) {
	t.Helper()
	for deadline := time.Now().Add(patience); words != "" && strings.Count(s.Log(), words) < times; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was not logged:\n%s", words, s.Log())
		}
	}
}

// The running config, Caddy's debug log and the admin endpoint show neither tokens nor what
// visitors typed, for any outcome.
func TestRunningServerHidesSecrets(t *testing.T) {
	s := watched(t)
	config := get(t, "http://"+s.admin+"/config/")
	for _, placeholder := range []string{"{env.TELECRM_TEST_TOKEN}", "{env.TELECRM_TEST_ASYNC}", "{env.TELECRM_TEST_SITE}"} {
		if !strings.Contains(config, placeholder) {
			t.Errorf("the config does not contain %s: %s", placeholder, config)
		}
	}
	adapted, err := s.Run(t.Context(), "adapt", "--config", s.config)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"log": s.Log(), "config": config, "adapt": adapted}
	for _, path := range []string{"/metrics", "/telecrm/", "/telecrm/status", "/telecrm/leads", "/debug/vars", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
		places[path] = get(t, "http://"+s.admin+path)
	}
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"leads", "list"}, {"leads", "list", "--json"}} {
		places["output of "+strings.Join(args, " ")] = s.telecrm(t, args...)
	}
	for place, text := range places {
		for _, secret := range secrets() {
			if strings.Contains(text, secret) {
				t.Errorf("found %q in the %s", secret, place)
			}
		}
	}
	// Commands and paths that show a lead show what was typed, but not the tokens.
	id := s.listed(t, "--state", "parked")[0].ID
	for place, text := range map[string]string{
		"/telecrm/leads/<id>": get(t, "http://"+s.admin+"/telecrm/leads/"+id),
		"show":                s.telecrm(t, "leads", "show", id),
		"export":              s.telecrm(t, "leads", "export", "--format", "ndjson"),
	} {
		if !strings.Contains(text, "Zuleika Quartermaine") && !strings.Contains(text, "Barnaby Thistlewood") {
			t.Errorf("%s does not show the lead: %s", place, text)
		}
		for _, secret := range []string{secretToken, secretAsyncToken, secretSiteSecret} {
			if strings.Contains(text, secret) {
				t.Errorf("found %q in %s", secret, place)
			}
		}
	}
}

// line is a line of Caddy's log.
type line struct {
	Level   string `json:"level"`
	Logger  string `json:"logger"`
	Msg     string `json:"msg"`
	ID      string `json:"id"`
	Outcome string `json:"outcome"`
	Account string `json:"account"`

	AccessID     string `json:"telecrm_id"`
	AccessLeadID string `json:"telecrm_lead_id"`
}

// The log has one line for each submission, one warning for each remark, and one error for the
// account on hold. The access log contains the ids of submissions and leads.
func TestLogLines(t *testing.T) {
	s := watched(t)
	var outcomes []string
	var leads, access, remarks int
	for text := range strings.Lines(s.Log()) {
		var l line
		if json.Unmarshal([]byte(text), &l) != nil {
			continue
		}
		switch {
		case l.Msg == "submission":
			outcomes = append(outcomes, l.Outcome)
		case l.Msg == "a part of the lead was not stored as sent":
			remarks++
		case l.AccessID != "":
			access++
			if l.AccessLeadID != "" {
				leads++
			}
		case l.Level == "error" && l.Logger == "telecrm":
			if l.Account != "default" || !inOrder(l.Msg, "token", "enterprise id", "subscription") {
				t.Errorf("unexpected error: %s", text)
			}
			outcomes = append(outcomes, "(held)")
		}
	}
	// The duplicate waits because its number was posted a moment before.
	want := []string{
		"created", "created", "created", "invalid", "waiting", "refused", "accepted", "waiting", "(held)", "waiting",
		"malformed", "malformed", "malformed",
	}
	slices.Sort(want)
	slices.Sort(outcomes)
	if !slices.Equal(outcomes, want) {
		t.Errorf("logged outcomes %q, want %q", outcomes, want)
	}
	// The remarked lead has three remarks: a rating, an action's type and its status.
	if remarks != 3 {
		t.Errorf("%d remarks were logged, want 3", remarks)
	}
	if access != watchedPosts || leads != 3 {
		t.Errorf("the access log has %d ids and %d lead ids, want %d and 3", access, leads, watchedPosts)
	}
}

func inOrder(text string, words ...string) bool {
	for _, word := range words {
		_, after, found := strings.Cut(text, word)
		if !found {
			return false
		}
		text = after
	}
	return true
}
