package sandbox_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestActions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, action string
		stored       bool
		remarks      []string // paths
	}{
		{"all fields", `{"type":"1042","fields":{"note":"a","slot":"Morning","page":"b"}}`, true, nil},
		{"no fields", `{"type":"1042"}`, true, nil},
		{"empty fields", `{"type":"1043","fields":{}}`, true, nil},
		{"bad field", `{"type":"1042","fields":{"note":1,"page":"b"}}`, true, []string{"actions[0].fields.note"}},
		{"empty field", `{"type":"1042","fields":{"note":""}}`, true, []string{"actions[0].fields.note"}},
		{"field of the lead", `{"type":"1043","fields":{"city":"Pune"}}`, true, []string{"actions[0].fields.city"}},
		{"fields null", `{"type":"1042","fields":null}`, false, []string{"actions[0].fields"}},
		{"fields array", `{"type":"1042","fields":[]}`, false, []string{"actions[0].fields"}},
		{"unknown key", `{"type":"1042","note":"a"}`, false, []string{"actions[0].note"}},
		{"unknown code", `{"type":"1044"}`, false, []string{"actions[0].type"}},
		{"async prefix", `{"type":"ACTION_1042"}`, false, []string{"actions[0].type"}},
		{"type as number", `{"type":1042}`, false, []string{"actions[0].type"}},
		{"no type", `{"fields":{}}`, false, []string{"actions[0].type"}},
		{"system type", `{"type":"SYSTEM_NOTE","text":"a"}`, false, []string{"actions[0].type"}},
		{"not an object", `"1042"`, false, []string{"actions[0]"}},
		{"null", `null`, false, []string{"actions[0]"}},

		{"payment", `{"type":"PAYMENT","status":"COMPLETED","currency":"AED","amount":"0.50"}`, true, nil},
		{"payment with id", `{"type":"PAYMENT","status":"COMPLETED","currency":"AED","amount":"5","paymentid":"p1"}`, true, nil},
		{"payment alone", `{"type":"PAYMENT"}`, false, []string{"actions[0].amount", "actions[0].currency", "actions[0].status"}},
		{"payment of nothing", `{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":"0.00"}`, false, []string{"actions[0].amount"}},
		{"payment as number", `{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":5}`, false, []string{"actions[0].amount"}},
		{"negative payment", `{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":"-5"}`, false, []string{"actions[0].amount"}},
		{"other currency", `{"type":"PAYMENT","status":"PENDING","currency":"EUR","amount":"5"}`, false, []string{"actions[0].currency"}},
		{"other status", `{"type":"PAYMENT","status":"pending","currency":"INR","amount":"5"}`, false, []string{"actions[0].status"}},
		{"payment in fields", `{"type":"PAYMENT","fields":{"status":"PENDING"}}`, false, []string{"actions[0].fields"}},
		{"payment in lower case", `{"type":"payment","status":"PENDING","currency":"INR","amount":"5"}`, false, []string{"actions[0].type"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			answer := mustCreate(t, s, `{"fields":{"phone":"918123456789"},"actions":[`+tt.action+`]}`)
			if stored := len(s.Leads()[0].Actions) == 1; stored != tt.stored {
				t.Errorf("stored %v, want %v", stored, tt.stored)
			}
			if len(answer.Actions) != 1 || (answer.Actions[0].ActionID != nil) != tt.stored ||
				(answer.Actions[0].Status == "CREATED") != tt.stored {
				t.Errorf("answered %+v", answer.Actions)
			}
			var paths []string
			for _, remark := range answer.Remarks {
				paths = append(paths, remark.Field)
			}
			if diff := cmp.Diff(tt.remarks, paths); diff != "" {
				t.Errorf("remarks (-want +got):\n%s", diff)
			}
		})
	}
}
