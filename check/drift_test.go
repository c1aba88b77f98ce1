package check_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/check"
)

func TestChangesOfPages(t *testing.T) {
	t.Parallel()
	withPages := func(t *testing.T) *site {
		t.Helper()
		s := newSite(t)
		s.write("de/kontakt.html", contact)
		for i := range 9 {
			s.write(fmt.Sprintf("blog/%d.html", i), contact)
		}
		return s
	}
	one, before := run(t, newSite(t).config).Snapshot(), run(t, withPages(t).config).Snapshot()
	if sets := before.Forms["/enquire"].Sets; len(sets) != 1 {
		t.Errorf("keeps %d sets of inputs", len(sets))
	}
	for name, tt := range map[string]struct {
		make func(*site)
		want []string
	}{
		"nothing":     {func(*site) {}, nil},
		"other texts": {func(s *site) { s.replace("Contact", "Talk to us") }, nil},
		"renamed input": {func(s *site) { s.replace(`name="email"`, `name="e_mail"`) }, []string{
			"form /enquire: input e_mail is new on /contact, at site/contact.html:7:14", "form /enquire: input email vanished from /contact; it was at site/contact.html:7:14",
		}},
		"type":   {func(s *site) { s.replace(`type="tel"`, `type="text"`) }, []string{`form /enquire: input phone had type="tel" and now has type="text", at site/contact.html:6:14`}},
		"option": {func(s *site) { s.replace("<option>Battery", "<option>Wind") }, []string{`form /enquire: input product does not offer "battery" any more`, `form /enquire: input product now offers "wind"`}},
		"renamed on one of two pages": {func(s *site) {
			s.write("de/kontakt.html", strings.Replace(contact, `name="phone"`, `name="fon"`, 1))
		}, []string{"form /enquire: input fon is new on /de/kontakt, at site/de/kontakt.html:6:14", "form /enquire: input phone vanished from /de/kontakt"}},
		"renamed on many pages": {func(s *site) {
			for i := range 9 {
				s.write(fmt.Sprintf("blog/%d.html", i), strings.Replace(contact, `name="phone"`, `name="fon"`, 1))
			}
		}, []string{"form /enquire: input fon is new on 9 pages, such as /blog/0, at site/blog/0.html:6:14", "form /enquire: input phone vanished from 9 pages, such as /blog/0"}},
		"another type on one of the pages": {func(s *site) {
			s.write("de/kontakt.html", strings.Replace(contact, `type="tel"`, `type="text"`, 1))
		}, nil},
		"pages come and go": {func(s *site) {
			delete(s.files, "blog/0.html")
			s.write("new.html", contact)
		}, []string{"form /enquire: its HTML form vanished from /blog/0", "form /enquire: an HTML form is new on /new"}},
		"no form":     {func(s *site) { s.write("contact.html", "") }, []string{"form /enquire: no page posts to it any more"}},
		"other forms": {func(s *site) { s.form.Name = "/ask" }, []string{"form /ask is new", "form /enquire vanished from the config"}},
	} {
		s, earlier := newSite(t), one
		if strings.Contains(name, "pages") {
			s, earlier = withPages(t), before
		}
		tt.make(s)
		content, err := json.Marshal(earlier)
		if err != nil {
			t.Fatal(err)
		}
		var kept check.Snapshot
		if err := json.Unmarshal(content, &kept); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, kept.Changes(run(t, s.config).Snapshot())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
