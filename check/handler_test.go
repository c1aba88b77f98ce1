package check_test

import (
	"testing"
	"testing/fstest"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// A form that posts nowhere is told the handler that it is for.
func TestFormNotSentIsToldItsHandler(t *testing.T) {
	t.Parallel()
	form := func(path string, inputs ...string) *check.Form {
		f := &check.Form{Name: path, Takes: func(_, at string) bool { return at == path }, ThankYou: "/", Country: "IN"}
		for _, input := range inputs {
			f.Fields = append(f.Fields, mapping.Field{Name: input})
		}
		return f
	}
	const page = `<form action="#"><label>Phone <input name="phone" type="tel"></label><label>City <input name="city"></label></form>`
	for name, test := range map[string]struct {
		forms []*check.Form
		want  string
	}{
		"the only one":          {[]*check.Form{form("/a", "x")}, "/a"},
		"that of its page":      {[]*check.Form{form("/a", "city"), form("/", "x")}, "/"},
		"the one for its input": {[]*check.Form{form("/a", "x"), form("/b", "city")}, "/b"},
		"any":                   {[]*check.Form{form("/a", "city"), form("/b", "city")}, "/enquire"},
	} {
		report, err := check.Run(t.Context(), check.Config{Sites: []*check.Site{{
			Files: fstest.MapFS{"index.html": {Data: []byte(page)}}, Forms: test.forms,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		remedy := ""
		for _, f := range report.Findings {
			if f.Code == check.FormNotSent {
				remedy = f.Remedy
			}
		}
		if remedy != `method="post" action="`+test.want+`"` {
			t.Errorf("%s: got %q, want %s", name, remedy, test.want)
		}
	}
}
