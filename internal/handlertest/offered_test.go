package handlertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// offerSite returns a site with a form and its config, and a visitor's post of it.
func offerSite(t *testing.T, crm crm, config, controls string) (_ *site, post func(values url.Values, header ...string) (status int, body string)) {
	t.Helper()
	dir := pagesIn(t, map[string]string{
		"contact.html": `<!DOCTYPE html><title>Ours</title><form method="post"><input name="name"><input name="phone">` + controls + `<button>Send</button></form>`,
	})
	s := newSite(t, crm, ":80 {\nroot "+dir+"\ntelecrm /contact {\nfield name\nfield phone\nthank_you /thanks\n"+config+"\n}\ntry_files {path}.html\nfile_server\n}")
	return s, func(values url.Values, header ...string) (int, string) {
		header = append([]string{"Sec-Fetch-Site: same-origin", "Referer: http://www.example.com/contact"}, header...)
		w := s.do(postTo("http://www.example.com/contact", values, header...))
		return w.Code, w.Body.String()
	}
}

const noteAction = "action 1042 {\nfield note message\n}"

// A visitor who chooses an answer that the page offers is thanked, whether the config lists it or
// not, and the answer goes along as text. The log says once what to write.
func TestAnswersOfThePageAreTaken(t *testing.T) {
	const options = "{\noptions Kitchen\n}"
	for name, test := range map[string]struct {
		config, controls string
		sent             url.Values
		header           []string
		text             string // in the lead
		write            string // in the log
	}{
		"select, unmapped": {
			"field product product dropdown " + options + "\nunmapped message", `<select name="product"><option value="">Select…<option>Kitchen<option>Kitchen &amp; bath</select>`,
			url.Values{"product": {"Kitchen & bath"}},
			nil, "Product: Kitchen & bath", `options Kitchen "Kitchen & bath"`,
		},
		"select, note": {
			"field product product dropdown " + options + "\n" + noteAction, `<select name="product"><option value="Kitchen &amp; bath">Kitchen with bath</select><textarea name="message"></textarea>`,
			url.Values{"product": {"Kitchen & bath"}, "message": {"Call me"}},
			nil, `Call me\nProduct: Kitchen & bath`, `options Kitchen "Kitchen & bath"`,
		},
		"select, required": {
			"field product product dropdown {\nrequired\noptions Kitchen\n}\nunmapped message", `<select name="product" required><option>Kitchen<option>Bath</select>`,
			url.Values{"product": {"Bath"}},
			nil, "Product: Bath", "options Kitchen Bath",
		},
		"radio": {
			"field product product dropdown " + options + "\nunmapped message", `<input type="radio" name="product" value="Kitchen"><input type="radio" name="product" value="Bath">`,
			url.Values{"product": {"Bath"}},
			nil, "Product: Bath", "options Kitchen Bath",
		},
		"boxes": {
			"field interests interests tags " + options + "\nunmapped message", `<input type="checkbox" name="interests" value="Kitchen"><input type="checkbox" name="interests" value="Wall, inside">`,
			url.Values{"interests": {"Kitchen", "Wall, inside"}},
			nil, "Interests: Wall, inside", `options Kitchen "Wall, inside"`,
		},
		"hidden": {
			"field product product dropdown " + options + "\nunmapped message", `<input type="hidden" name="product" value="Landing page">`,
			url.Values{"product": {"Landing page"}},
			nil, "Product: Landing page", `options Kitchen "Landing page"`,
		},
		"number": {
			"field employees employees number\nunmapped message", `<select name="employees"><option>1-10<option>more than 10</select>`,
			url.Values{"employees": {"more than 10"}},
			nil, "Employees: more than 10", "field employees employees text",
		},
		"nowhere": {
			"field product product dropdown " + options, `<select name="product"><option>Bath</select>`,
			url.Values{"product": {"Bath"}},
			nil, "", "options Kitchen Bath",
		},
		"script": {
			"field product product dropdown " + options + "\nunmapped message", `<select name="product"><option>Bath</select>`,
			url.Values{"product": {"Bath"}},
			[]string{"Accept: application/json"},
			"Product: Bath", "options Kitchen Bath",
		},
		"errors redirect": {
			"errors redirect /sorry\nfield product product dropdown " + options + "\nunmapped message", `<select name="product"><option>Bath</select>`,
			url.Values{"product": {"Bath"}},
			nil, "Product: Bath", "options Kitchen Bath",
		},
		"next to another mistake": {
			"field product product dropdown " + options + "\nfield city {\nrequired\n}\nunmapped message", `<input name="town"><select name="product"><option>Bath</select>`,
			url.Values{"product": {"Bath"}, "city": {"Pune"}},
			nil, "Product: Bath", "options Kitchen Bath",
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			s, post := offerSite(t, crm, test.config, test.controls)
			for range 2 {
				if status, body := post(and(meera, test.sent), test.header...); status != http.StatusSeeOther && status != http.StatusOK {
					t.Fatalf("status %d: %s", status, body)
				}
			}
			leads := crm.Leads()
			if len(leads) != 1 {
				t.Fatalf("leads %v", leads)
			}
			sent, err := json.Marshal(leads[0])
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.ReplaceAll(string(sent), `\u0026`, "&"); !strings.Contains(text, test.text) || strings.Contains(text, `"product":`) {
				t.Errorf("lead %s, want %q", text, test.text)
			}
			warnings := s.logged("the form's page offers answers")
			if len(warnings) != 1 || warnings[0].ContextMap()["write"] != test.write {
				t.Errorf("warnings %v, want %q", warnings, test.write)
			}
			if remarks := s.logged("a part of the lead was not stored as sent"); len(remarks) != 1 {
				t.Errorf("remarks %v", remarks)
			}
			if strings.Contains(fmt.Sprint(s.log.All()), "Meera") {
				t.Error("the log has what the visitor typed")
			}
		})
	}
}

// Other values are refused as before, and the visitor's page comes back.
func TestOtherAnswersAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		controls string
		sent     url.Values
	}{
		"made up":        {`<select name="product"><option>Bath</select>`, url.Values{"product": {"Attic"}}},
		"changed":        {`<select name="product"><option>Bath</select>`, url.Values{"product": {"bath "}}},
		"typed":          {`<input name="product" value="Bath">`, url.Values{"product": {"Bath"}}},
		"suggested":      {`<input name="product" list="l"><datalist id="l"><option>Bath</datalist>`, url.Values{"product": {"Bath"}}},
		"disabled":       {`<select name="product"><option>Kitchen<option disabled>Bath</select>`, url.Values{"product": {"Bath"}}},
		"asks to choose": {`<select name="product"><option value="0">Choose a room<option>Kitchen</select>`, url.Values{"product": {"0"}}},
		"other control":  {`<select name="room"><option>Bath</select><select name="product"><option>Kitchen</select>`, url.Values{"product": {"Bath"}}},
		"other form":     {`<select name="product"><option>Kitchen</select></form><form action="/other"><select name="product"><option>Bath</select>`, url.Values{"product": {"Bath"}}},
		"in addition":    {`<select name="product"><option>Bath</select>`, url.Values{"product": {"Bath", "Attic"}}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			s, post := offerSite(t, crm, "field product product dropdown {\noptions Kitchen\n}\nunmapped message", test.controls)
			if status, body := post(and(meera, test.sent)); status != http.StatusUnprocessableEntity || len(crm.Leads()) > 0 {
				t.Errorf("status %d: %s", status, body)
			}
			if len(s.logged("not stored as sent")) > 0 {
				t.Errorf("logged %v", s.log.All())
			}
		})
	}
}

// Two people who choose different answers that the config does not list are two enquiries.
func TestUnlistedAnswersAreNotRepeats(t *testing.T) {
	crm := newCRM(t)
	_, post := offerSite(t, crm, "field product product dropdown {\noptions Kitchen\n}\nunmapped message\non_duplicate actions\n"+noteAction, `<select name="product"><option>Bath<option>Attic</select>`)
	for _, product := range []string{"Bath", "Bath", "Attic"} {
		if status, body := post(with(meera, "product", product)); status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	if got := crm.Requests(); got < 2 {
		t.Errorf("TeleCRM had %d requests, want one for each answer", got)
	}
}

// A check while the form is filled in agrees with the post.
func TestChecksAcceptThePagesAnswers(t *testing.T) {
	_, post := offerSite(t, newCRM(t), "field product product dropdown {\noptions Kitchen\n}\nunmapped message", `<select name="product"><option>Bath</select>`)
	for product, want := range map[string]int{"Kitchen": http.StatusNoContent, "Bath": http.StatusNoContent, "Attic": http.StatusUnprocessableEntity} {
		if status, _ := post(with(meera, "product", product), "Precognition: true", "Accept: application/json"); status != want {
			t.Errorf("%s: status %d, want %d", product, status, want)
		}
	}
}

// An input that the page names otherwise is in the log once, with the line for the Caddyfile.
func TestInputsOfAnotherNameAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		controls, config string
		sent             url.Values
		want             []string
	}{
		"mobile":   {`<input name="name"><input name="mobile">`, "field name\nfield phone", url.Values{"name": {"Meera"}, "mobile": {"08123456789"}}, []string{"field phone mobile"}},
		"tel":      {`<input name="name"><input name="reach" type="tel"><input name="x">`, "field name\nfield phone", url.Values{"name": {"Meera"}, "reach": {"08123456789"}}, []string{"field phone reach"}},
		"misspelt": {`<input name="name"><input name="phone_no"><input name="x">`, "field name\nfield phone phone-no", url.Values{"name": {"Meera"}, "phone_no": {"08123456789"}}, []string{"field phone phone_no"}},
		"both":     {`<input name="your-name"><input name="mobile">`, "field name {\nrequired\n}\nfield phone", url.Values{"your-name": {"Meera"}, "mobile": {"08123456789"}}, []string{"field name your-name", "field phone mobile"}},
		"renamed":  {`<input name="name"><input name="phone"><select name="town"><option>Pune</select>`, "field name\nfield phone\nfield city cities {\nrequired\n}", url.Values{"name": {"Meera"}, "phone": {"08123456789"}, "town": {"Pune"}}, []string{"field city town"}},
		"absent":   {`<input name="name"><input name="subject"><input name="message">`, "field name\nfield phone", url.Values{"name": {"Meera"}, "message": {"Hi"}}, []string{""}},
		"matches":  {`<input name="name"><input name="phone">`, "field name\nfield phone", url.Values{"name": {"Meera"}, "phone": {"12"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := pagesIn(t, map[string]string{"contact.html": `<!DOCTYPE html><title>Ours</title><form method="post">` + test.controls + `</form>`})
			s := newSite(t, newCRM(t), ":80 {\nroot "+dir+"\ntelecrm /contact {\n"+test.config+"\nthank_you /thanks\n}\ntry_files {path}.html\nfile_server\n}")
			for range 3 {
				w := s.do(postTo("http://www.example.com/contact", test.sent, "Sec-Fetch-Site: same-origin", "Referer: http://www.example.com/contact"))
				if w.Code != http.StatusUnprocessableEntity {
					t.Errorf("status %d: %s", w.Code, w.Body)
				}
			}
			var lines []string
			for _, entry := range s.logged("the form on the page") {
				line, _ := entry.ContextMap()["write"].(string)
				lines = append(lines, line)
			}
			slices.Sort(lines)
			if !slices.Equal(lines, test.want) {
				t.Errorf("warnings %q, want %q; log %v", lines, test.want, s.log.All())
			}
			if strings.Contains(fmt.Sprint(s.log.All()), "Meera") {
				t.Error("the log has what the visitor typed")
			}
		})
	}
}

// Where the page cannot be read, ten refusals for the same reason say that something is wrong.
func TestTheSameRefusalAgainAndAgain(t *testing.T) {
	h := newHandler(t, newCRM(t).url, "field name\nfield phone\nfield city {\nrequired\n}\nrate_limit off\nthank_you /thanks")
	for i := range 12 {
		if w := h.serveFrom(t, "192.0.2.7", postForm(meera)); w.Code != http.StatusUnprocessableEntity {
			t.Fatalf("status %d", w.Code)
		}
		want := 0
		if i >= 9 {
			want = 1
		}
		if got := h.logged("refused for the same reason"); len(got) != want || want > 0 && got[0].ContextMap()["input"] != "city" {
			t.Errorf("after %d posts: %v", i+1, got)
		}
	}
}

// and returns the values with those of another form.
func and(values, more url.Values) url.Values {
	all := maps.Clone(values)
	maps.Copy(all, more)
	return all
}
