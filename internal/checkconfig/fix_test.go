package checkconfig_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const fixableConfig = `{
	telecrm {
		account {
			token sandbox-token
			enterprise_id 66aa00bb11cc22dd33ee44ff
			base_url CRM/autoupdate/v2
			country IN
			time_zone Asia/Kolkata
		}
		outbox off
	}
}
www.example.com {
	root * ROOT
	telecrm /enquire { # the form
		field name {
			required
		}
		field phone
		field email
		field city
		field product product dropdown {
			options Solar "Battery pack"
		}
		field message {
			max 2000
		}
		set source Website dropdown
		set status Fresh
		action 1042 {
			field note message
		}
		thank_you /thank-you
	}
	try_files {path}.html {path}
	file_server
}
`

const fixablePage = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Contact</title></head><body>
<form method="post" action="/enquire">
<label>Name <input name="name" autocomplete="name" required></label>
<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>
<label>Email <input name="email" type="email" autocomplete="email"></label>
<label>City <input name="city" id="city"></label>
<label>Product <select name="product"><option value="">Choose one</option><option>Solar</option><option>Battery pack</option></select></label>
<label>Message <textarea name="message" maxlength="2000"></textarea></label>
<button>Send</button>
</form>
</body></html>
`

// fixSite is a clean site on disk, with a workspace of its own.
type fixSite struct {
	t   *testing.T
	dir string
}

func newFixSite(t *testing.T, change func(config, page string) (string, string)) *fixSite {
	t.Helper()
	schema := sandbox.DefaultSchema()
	schema.Fields = slices.DeleteFunc(schema.Fields, func(f sandbox.Field) bool { return f.APIName == "product" })
	schema.Fields = append(schema.Fields, sandbox.Field{APIName: "product", Type: sandbox.TypeDropdown, Options: []string{"Solar", "Battery pack"}})
	crm, err := sandbox.New(sandbox.Config{Token: "sandbox-token", EnterpriseID: "66aa00bb11cc22dd33ee44ff", Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)
	s := &fixSite{t, t.TempDir()}
	config, page := fixableConfig, fixablePage
	if change != nil {
		config, page = change(config, page)
	}
	s.write("Caddyfile", strings.NewReplacer("CRM", server.URL, "ROOT", filepath.Join(s.dir, "site")).Replace(config))
	s.write("site/contact.html", page)
	s.write("site/de/kontakt.html", strings.ReplaceAll(page, "\n", "\r\n"))
	s.write("site/thank-you.html", "<p>Thanks</p>")
	return s
}

func (s *fixSite) write(name, content string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// check checks the site as it is now.
func (s *fixSite) check() (*check.Report, []check.Code) {
	s.t.Helper()
	file := filepath.Join(s.dir, "Caddyfile")
	source, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	config := read(s.t, file, string(source))
	config.Fixes = true
	config.Ask(s.t.Context())
	report, err := check.Run(s.t.Context(), *config)
	if err != nil {
		s.t.Fatal(err)
	}
	var codes []check.Code
	for _, f := range report.Findings {
		codes = append(codes, f.Code)
	}
	return report, codes
}

func (s *fixSite) patch(r *check.Report) string {
	s.t.Helper()
	patch, _ := r.Patch(os.ReadFile, func(file string) string {
		name, err := filepath.Rel(s.dir, file)
		if err != nil {
			s.t.Fatal(err)
		}
		return filepath.ToSlash(name)
	})
	return string(patch)
}

// apply applies a patch with the tools that people use, and fails unless they agree.
func (s *fixSite) apply(patch string) {
	s.t.Helper()
	for _, args := range [][]string{{"git", "apply", "--check", "--unidiff-zero", "-"}, {"patch", "-p1", "--no-backup-if-mismatch", "--fuzz=0"}} {
		if _, err := exec.LookPath(args[0]); err != nil {
			s.t.Skipf("%s is not installed", args[0])
		}
		cmd := exec.CommandContext(s.t.Context(), args[0], args[1:]...)
		cmd.Dir, cmd.Stdin = s.dir, strings.NewReader(patch)
		if output, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("%s: %v\n%s\n%s", args[0], err, output, patch)
		}
	}
}

func inConfig(old, by string) func(config, page string) (string, string) {
	return func(config, page string) (string, string) {
		if !strings.Contains(config, old) {
			panic("the config does not have " + old)
		}
		return strings.Replace(config, old, by, 1), page
	}
}

func inPage(old, by string) func(config, page string) (string, string) {
	return func(config, page string) (string, string) {
		if !strings.Contains(page, old) {
			panic("the page does not have " + old)
		}
		return config, strings.Replace(page, old, by, 1)
	}
}

// fixable are mistakes that the patch fixes.
var fixable = map[string]struct {
	make func(config, page string) (string, string)
	code check.Code
	line string // that the patch adds
}{
	"misspelt field":           {inConfig("field message {", "field mesage message {"), check.UnknownField, "+\t\tfield message message {"},
	"misspelt field and input": {inConfig("field message {", "field mesage {"), check.UnknownField, "+\t\tfield message {"},
	"misspelt field, own input": {func(c, p string) (string, string) {
		return strings.Replace(c, "field city\n", "field citty\n", 1), strings.Replace(p, `name="city" id="city"`, `name="citty"`, 1)
	}, check.UnknownField, "+\t\tfield city citty"},
	"misspelt field of an update": {func(c, p string) (string, string) {
		return strings.NewReplacer("field city\n", "field citty city\n", "thank_you", "on_duplicate update citty message\n\t\tthank_you").Replace(c), p
	}, check.UnknownField, "+\t\ton_duplicate update city message"},
	"capitals of a field":    {inConfig("field product product", "field Product product"), check.FieldCase, "+\t\tfield product product dropdown {"},
	"misspelt set":           {inConfig("set source", "set sorce"), check.UnknownField, "+\t\tset source Website dropdown"},
	"misspelt key":           {inConfig("field note message", "field notes message"), check.UnknownActionKey, "+\t\t\tfield note message"},
	"capitals of an option":  {inConfig(`"Battery pack"`, "`battery pack`"), check.UnknownOption, "+\t\t\toptions Solar \"Battery pack\""},
	"capitals of a constant": {inConfig("Website dropdown", "website dropdown"), check.UnknownOption, "+\t\tset source Website dropdown"},
	"capitals of a status":   {inConfig("status Fresh", "status fresh"), check.UnknownStatus, "+\t\tset status Fresh"},
	"renamed input":          {inPage(`name="email"`, `name="e_mail"`), check.InputNotInForm, "+\t\tfield email e_mail"},
	"renamed phone":          {inPage(`name="phone"`, `name="mobile"`), check.InputNotInForm, "+\t\tfield phone mobile"},
	"thank-you page":         {inConfig("/thank-you", "/thankyou"), check.ThankYouMissing, "+\t\tthank_you /thank-you"},
	"sent with GET":          {inPage(`method="post" `, ""), check.WrongMethod, `+<form method="post" action="/enquire">`},
	"method":                 {inPage(`method="post"`, `method=get`), check.WrongMethod, `+<form method="post" action="/enquire">`},
	"encoding":               {inPage(`<form `, `<form enctype="text/plain" `), check.WrongEncoding, `+<form enctype="application/x-www-form-urlencoded" method="post"`},
	"misspelt action":        {inPage(`"/enquire"`, `"/enquier"`), check.ActionWithoutHandler, `+<form method="post" action="/enquire">`},
	"apex":                   {inPage(`"/enquire"`, `"https://example.com/enquire"`), check.OtherHost, `+<form method="post" action="/enquire">`},
	"input without a name":   {inPage(`name="city" `, ``), check.InputWithoutName, `+<label>City <input name="city" id="city"></label>`},
	"named by its label":     {inPage(`name="email" `, ``), check.InputWithoutName, `+<label>Email <input name="email" type="email" autocomplete="email"></label>`},
	"required":               {inPage(`autocomplete="name" required`, `autocomplete="name"`), check.RequiredInConfigOnly, `+<label>Name <input required name="name" autocomplete="name"></label>`},
	"length":                 {inPage(`maxlength="2000"`, `maxlength=5000`), check.LengthDiffers, `+<label>Message <textarea name="message" maxlength="2000"></textarea></label>`},
	"no length":              {inPage(` maxlength="2000"`, ``), check.LengthInConfigOnly, `+<label>Message <textarea maxlength="2000" name="message"></textarea></label>`},
	"autocomplete":           {inPage(` autocomplete="tel"`, ``), check.AutocompleteMissing, `+<label>Phone <input autocomplete="tel" name="phone" type="tel" required></label>`},
}

// The patch applies, fixes what it is for on every page, and leaves the site clean.
func TestPatchMends(t *testing.T) {
	t.Parallel()
	if report, _ := newFixSite(t, nil).check(); len(report.Findings)+len(report.Unverified) > 0 {
		t.Fatalf("the site is not clean: %v, %+v", report.Unverified, report.Findings)
	}
	for name, tt := range fixable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixSite(t, tt.make)
			report, codes := s.check()
			if !slices.Contains(codes, tt.code) {
				t.Fatalf("found %q, not %s", codes, tt.code)
			}
			patch := s.patch(report)
			if !strings.Contains(patch, tt.line) {
				t.Errorf("the patch does not have %q:\n%s", tt.line, patch)
			}
			s.apply(patch)
			if report, codes := s.check(); len(codes) > 0 {
				t.Errorf("found %q after the patch:\n%s\n%+v", codes, patch, report.Findings)
			}
		})
	}
}

// All of it at once is one patch too.
func TestPatchMendsAll(t *testing.T) {
	t.Parallel()
	s := newFixSite(t, func(config, page string) (string, string) {
		for _, name := range []string{"misspelt set", "misspelt key", "capitals of an option", "capitals of a status", "thank-you page", "renamed input", "encoding", "input without a name", "length", "required"} {
			config, page = fixable[name].make(config, page)
		}
		return config, page
	})
	report, before := s.check()
	if len(before) < 10 {
		t.Fatalf("found only %q", before)
	}
	s.apply(s.patch(report))
	if _, codes := s.check(); len(codes) > 0 {
		t.Errorf("found %q after the patch", codes)
	}
}

// What could mean several things, or loses something, is left to people.
func TestPatchLeavesDoubts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(config, page string) (string, string){
		"two near inputs":        inPage(`name="city" id="city"`, `name="citya"><input name="cityb"`),
		"no near field":          inConfig("field city\n", "field turbine city\n"),
		"misspelt option":        inConfig(`"Battery pack"`, `"Batery pack"`),
		"unknown action":         inConfig("action 1042", "action 1024"),
		"two controls, no names": inPage(`name="city" id="city"`, `id="city"><input id="city"`),
		"a name of its own":      inPage(`<label>City <input name="city" id="city">`, `<label>Town <input id="town">`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixSite(t, change)
			report, codes := s.check()
			if len(codes) == 0 {
				t.Fatal("nothing found")
			}
			for line := range strings.Lines(s.patch(report)) {
				if strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "+++") && !strings.Contains(line, "autocomplete=") {
					t.Errorf("the patch writes %s for %q", line, codes)
				}
			}
		})
	}
}
