package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/trial"
)

// printTrial prints a trial, and returns the exit status.
func (t *terminal) printTrial(shown *check.Trial) error {
	var err error
	if t.json {
		err = t.printJSON(shown)
	} else {
		err = t.printTrialForPeople(shown)
	}
	if err == nil && shown.Outcome != trial.Sent {
		return &ExitError{1}
	}
	return err
}

// conclusions say what the outcomes mean.
var conclusions = map[trial.Outcome]string{
	trial.Sent:   "The lead would be sent to TeleCRM:",
	"invalid":    "Nothing would be sent until the visitor has corrected this.",
	"aside":      "The post would be parked as spam, and answered as if it were accepted.",
	"asked":      "The post would be parked as possible spam, and the visitor asked to send it again; that one would be accepted.",
	"unproven":   "Nothing would be sent until the visitor has passed the challenge.",
	"foreign":    "The post would be refused, because a page of another site sends it; list that site under origins.",
	"malformed":  "The post would be refused, because it cannot be read:",
	"too_large":  "The post would be refused, because it exceeds a limit:",
	"not_a_form": "The post would be refused, because it is not a form:",
}

func (t *terminal) printTrialForPeople(shown *check.Trial) error {
	at := ""
	if shown.Place != "" {
		at = t.paint(quiet, "  "+onOneLine(shown.Place))
	}
	t.printf("%s%s\n", t.paint(bold, "Form "+onOneLine(shown.Form)), at)
	t.printf("POST %s\n", onOneLine(shown.URL))
	if shown.Page != "" {
		t.printf("from %s\n", onOneLine(shown.Page))
	}
	t.printInputs(shown)
	t.printTriedValues(shown)
	t.printGuards(shown)
	for _, p := range shown.Problems {
		t.printf("%s %s %s\n", t.paint(bad, "To correct:"), onOneLine(p.Message), t.paint(quiet, "("+onOneLine(p.Input)+" "+p.Code+")"))
	}
	for _, remark := range shown.Remarks {
		t.printf("%s %s\n", t.paint(warn, "Remark:"), onOneLine(remark))
	}
	conclusion := conclusions[shown.Outcome]
	if shown.Request == nil {
		t.printf("%s\n", t.paint(warn, strings.TrimSpace(conclusion+" "+onOneLine(shown.Reason))))
		return nil
	}
	lead, err := json.MarshalIndent(shown.Request.Lead, "", "  ")
	if err != nil {
		return fmt.Errorf("printing the lead: %w", err)
	}
	t.printf("%s\n%s %s\n%s\n", t.paint(good, conclusion), shown.Request.Method, onOneLine(shown.Request.URL), adminapi.Plain(string(lead)))
	return nil
}

func (t *terminal) printInputs(shown *check.Trial) {
	if len(shown.Inputs) == 0 {
		return
	}
	t.printf("\n")
	rows := [][]cell{header("  INPUT", "VALUE", "BECOMES")}
	for _, in := range shown.Inputs {
		becomes := cell{strings.Join(in.Becomes, ", "), good}
		if in.Reason != "" {
			becomes = cell{"nothing: " + in.Reason, warn}
		}
		rows = append(rows, []cell{{"  " + onOneLine(in.Name), plain}, {onOneLine(in.Value), plain}, becomes})
	}
	for _, name := range shown.Files {
		rows = append(rows, []cell{{"  " + onOneLine(name), plain}, {"a file", quiet}, {"nothing: files are not forwarded", warn}})
	}
	for _, name := range shown.Skipped {
		rows = append(rows, []cell{{"  " + onOneLine(name), plain}, {"", plain}, {"nothing: it exceeds a limit", warn}})
	}
	(&table{t: t}).print(rows...)
}

func (t *terminal) printTriedValues(shown *check.Trial) {
	if len(shown.Values) == 0 {
		return
	}
	t.printf("\n")
	rows := [][]cell{header("  FIELD", "VALUE", "TYPE", "WHY", "LINE")}
	for _, v := range shown.Values {
		value := cell{"none", quiet}
		if v.Value != nil {
			value = cell{onOneLine(textOf(v.Value)), good}
		}
		rows = append(rows, []cell{{"  " + onOneLine(v.Field), plain}, value, {v.Type, quiet}, {onOneLine(v.Reason), plain}, {onOneLine(v.Place), quiet}})
	}
	(&table{t: t}).print(rows...)
}

func (t *terminal) printGuards(shown *check.Trial) {
	if len(shown.Guards) == 0 {
		return
	}
	t.printf("\n")
	rows := [][]cell{header("  GUARD", "RESULT", "")}
	for _, g := range shown.Guards {
		rows = append(rows, []cell{{"  " + g.Name, plain}, {string(g.Result), styleOfResult(g.Result)}, {onOneLine(g.Detail), quiet}})
	}
	for _, s := range shown.Signals {
		rows = append(rows, []cell{{"  spam signal", plain}, {fmt.Sprintf("+%d", s.Weight), warn}, {onOneLine(s.Reason), quiet}})
	}
	rows = append(rows, []cell{{"  spam score", plain}, {fmt.Sprint(shown.Score), plain}, {check.Scale, quiet}})
	(&table{t: t}).print(rows...)
	t.printf("\n")
}

func styleOfResult(r trial.Result) style {
	switch r {
	case trial.Passes:
		return good
	case trial.Fails:
		return bad
	case trial.Off, trial.NotTried:
	}
	return quiet
}
