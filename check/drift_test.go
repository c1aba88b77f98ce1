package check_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/check"
)

func TestChangesOfPages(t *testing.T) {
	t.Parallel()
	before := run(t, newSite(t).config).Snapshot()
	for name, tt := range map[string]struct {
		make func(*site)
		want []string
	}{
		"nothing":     {func(*site) {}, nil},
		"other texts": {func(s *site) { s.replace("Contact", "Talk to us") }, nil},
		"renamed input": {func(s *site) { s.replace(`name="email"`, `name="e_mail"`) }, []string{
			"form /enquire: input e_mail is new, at site/contact.html:7:14", "form /enquire: input email vanished; it was at site/contact.html:7:14",
		}},
		"type":        {func(s *site) { s.replace(`type="tel"`, `type="text"`) }, []string{`form /enquire: input phone had type="tel" and now has type="text", at site/contact.html:6:14`}},
		"option":      {func(s *site) { s.replace("<option>Battery", "<option>Wind") }, []string{`form /enquire: input product does not offer "battery" any more`, `form /enquire: input product now offers "wind"`}},
		"no form":     {func(s *site) { s.write("contact.html", "") }, []string{"form /enquire: no page posts to it any more"}},
		"other forms": {func(s *site) { s.form.Name = "/ask" }, []string{"form /ask is new", "form /enquire vanished from the config"}},
	} {
		s := newSite(t)
		tt.make(s)
		content, err := json.Marshal(before)
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
