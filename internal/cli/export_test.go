package cli

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// A spreadsheet does not run a visitor's text in any column, and other text is unchanged.
func TestNoCellIsAFormula(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1": "'=1+1", "+cmd": "'+cmd", "-2": "'-2", "@SUM(A1)": "'@SUM(A1)", "＝1": "'＝1", " =1": " '=1",
		"\t=1": `\u0009=1`, "\r=1": `\u000d=1`, "\n=1": "\n'=1", "a\tb": `a\u0009b`,
		"a;=1+1;b": "a;'=1+1;b", "a,-1,b": "a,'-1,b", "a\n@x": "a\n'@x", "a|+1": "a|'+1", "a; \"=1": "a; \"'=1", ";;\u00a0＝1": ";;\u00a0'＝1",
		"": "", "a=b": "a=b", "'=1": "'=1", "918123456789": "918123456789", "Zoë": "Zoë", "a; b-c, d+e": "a; b-c, d+e", "x@example.com": "x@example.com",
	} {
		if got := guarded(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	const formula = `=HYPERLINK("https://evil.example","x")`
	var out strings.Builder
	s := newSheet(&out, []string{formula, "name"})
	err := s.write(adminapi.Lead{ID: formula, Form: formula, Reason: formula, Content: &adminapi.Content{
		Identifier: formula, Fields: map[string]any{"name": []any{formula}, formula: formula, "late": formula},
	}})
	if err != nil || s.end() != nil {
		t.Fatal(err)
	}
	for cell := range strings.SplitSeq(strings.NewReplacer("\n", ",", `"`, "").Replace(out.String()), ",") {
		if strings.HasPrefix(cell, "=") {
			t.Errorf("a cell is a formula: %s in\n%s", cell, out.String())
		}
	}
}
