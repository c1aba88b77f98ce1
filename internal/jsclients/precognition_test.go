package jsclients_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checked is the output of precognition.mjs.
type checked struct {
	Passed    bool                `json:"passed"`
	Errors    map[string][]string `json:"errors"`
	Valid     []string            `json:"valid"`
	Statuses  []int               `json:"statuses"`
	Submitted int                 `json:"submitted"`
}

// Laravel Precognition reads what is wrong with the inputs that the visitor has filled in. That
// makes no lead, unlike the submission after it.
func TestPrecognition(t *testing.T) {
	installLibraries(t)
	crm := startCRM(t)
	base := startCaddy(t, crm.URL)

	const phone = "The phone number in “Phone” is too short. Enter all of its digits."
	const email = "Enter an email address in “Email”, like name@example.com."
	type values = map[string]any
	for name, test := range map[string]struct {
		values values
		only   []string
		want   checked
		leads  int
	}{
		"all correct": {
			values{"name": "Asha Rao", "phone": "081234 56789"},
			[]string{"name", "phone"},
			checked{Passed: true, Valid: []string{"name", "phone"}, Statuses: []int{204, 200}, Submitted: 200},
			1,
		},
		"one correct so far": {
			values{"name": "Asha Rao", "phone": "12"},
			[]string{"name"},
			checked{Passed: true, Valid: []string{"name"}, Statuses: []int{204, 422}, Submitted: 422},
			0,
		},
		"one wrong": {
			values{"name": "Asha Rao", "phone": "12"},
			[]string{"name", "phone"},
			checked{Errors: map[string][]string{"phone": {phone}}, Valid: []string{"name"}, Statuses: []int{422, 422}, Submitted: 422},
			0,
		},
		"two wrong": {
			values{"name": "Asha Rao", "phone": "12", "email": "asha@"},
			[]string{"phone", "email"},
			checked{Errors: map[string][]string{"phone": {phone}, "email": {email}}, Statuses: []int{422, 422}, Submitted: 422},
			0,
		},
		"missing": {
			values{"phone": "081234 56789"},
			[]string{"name"},
			checked{Errors: map[string][]string{"name": {"Fill in “Name”."}}, Statuses: []int{422, 422}, Submitted: 422},
			0,
		},
		"all asked about": {
			values{"name": "", "phone": "081234 56789"},
			nil,
			checked{Errors: map[string][]string{"name": {"Fill in “Name”."}}, Statuses: []int{422, 422}, Submitted: 422},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm.Reset()
			var got checked
			runScript(t, "precognition.mjs", map[string]any{"values": test.values, "only": test.only}, &got, base+"/f/contact")
			if diff := cmp.Diff(test.want, got, equateEmpty); diff != "" {
				t.Errorf("the library says (-want +got):\n%s", diff)
			}
			if leads := len(crm.Leads()); leads != test.leads {
				t.Errorf("%d leads, want %d", leads, test.leads)
			}
		})
	}
}
