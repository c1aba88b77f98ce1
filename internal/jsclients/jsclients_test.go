// Package jsclients_test tests the JSON answers with client libraries that sites already use. The
// libraries submit forms to a running Caddy and must read its answers correctly.
//
// It needs Node.js and npm, and installs the libraries in its folder.
package jsclients_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// clients lists the ways in which the libraries send a form.
var clients = map[string]struct{ library, encoding string }{
	"formspree, object":   {"formspree", "json"},
	"formspree, FormData": {"formspree", "multipart"},
	"web3forms":           {"web3forms", "json"},
}

// forServices has inputs that are meant for a form service. web3forms adds access_key, ccemail and
// webhook.
var forServices = map[string]string{
	"_subject":             "New enquiry",
	"_replyto":             "asha@example.com",
	"_gotcha":              "",
	"_language":            "en",
	"form-name":            "contact",
	"h-captcha-response":   "P1_eyJ0",
	"g-recaptcha-response": "",
}

func TestAccepted(t *testing.T) {
	installLibraries(t)
	crm := startCRM(t)
	base := startCaddy(t, crm.URL)

	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			crm.Reset()
			values := map[string]string{
				"name": "Asha Rao", "phone": "081234 56789", "email": "asha@example.com", "employees": "12",
				"budget_band": "Up to 5 lakh",
			}
			maps.Copy(values, forServices)

			created := submit(t, client.library, base, client.encoding, values)
			checkSuccess(t, created)
			// The answer does not reveal that the person is already known.
			known := submit(t, client.library, base, client.encoding, values)
			checkSuccess(t, known)

			leads := crm.Leads()
			if len(leads) != 1 {
				t.Fatalf("the CRM has %d leads, want 1", len(leads))
			}
			want := map[string]any{
				"name": "Asha Rao", "phone": "918123456789", "email": "asha@example.com", "employees": json.Number("12"),
				"more": "Budget band: Up to 5 lakh",
			}
			if diff := cmp.Diff(want, leads[0].Fields); diff != "" {
				t.Errorf("lead (-want +got):\n%s", diff)
			}
			if len(leads[0].Remarks) > 0 {
				t.Errorf("the CRM remarks %v", leads[0].Remarks)
			}
		})
	}
}

func checkSuccess(t *testing.T, r report) {
	t.Helper()
	if r.Outcome.Kind != "success" {
		t.Fatalf("the library reports %+v, want a success", r.Outcome)
	}
	want := map[string]any{
		"ok": true, "success": true, "code": 200.0, "status": "success",
		"next": thankYou, "redirect": thankYou, "redirectUrl": thankYou,
		"message": textOf(t, r.Answer.Body, "message"), "id": textOf(t, r.Answer.Body, "id"),
	}
	if diff := cmp.Diff(answer{Status: http.StatusOK, Body: want}, r.Answer); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if r.Outcome.Body != nil { // web3forms passes on the whole body
		if diff := cmp.Diff(want, r.Outcome.Body); diff != "" {
			t.Errorf("body in onSuccess (-want +got):\n%s", diff)
		}
		if r.Outcome.Message != want["message"] {
			t.Errorf("onSuccess got the message %q, want %q", r.Outcome.Message, want["message"])
		}
		return
	}
	if r.Outcome.Next != thankYou {
		t.Errorf("next is %q, want %q", r.Outcome.Next, thankYou)
	}
}

// fieldError is an error of the answer, with the code that formspree passes on. An unknown code
// becomes UNSPECIFIED; the message is kept.
type fieldError struct {
	field, code, formspree string
}

func TestCorrectable(t *testing.T) {
	installLibraries(t)
	crm := startCRM(t)
	base := startCaddy(t, crm.URL)

	tests := []struct {
		name   string
		values map[string]string
		want   []fieldError
	}{
		{
			"missing",
			map[string]string{"name": "Asha Rao"},
			[]fieldError{{"phone", "REQUIRED_FIELD_MISSING", "REQUIRED_FIELD_MISSING"}},
		},
		{
			"empty",
			map[string]string{"name": " ", "phone": ""},
			[]fieldError{
				{"name", "REQUIRED_FIELD_EMPTY", "REQUIRED_FIELD_EMPTY"},
				{"phone", "REQUIRED_FIELD_EMPTY", "REQUIRED_FIELD_EMPTY"},
			},
		},
		{
			"of the wrong type",
			map[string]string{"name": "Asha Rao", "phone": "12", "email": "asha@", "employees": "a dozen"},
			[]fieldError{
				{"phone", "PHONE_TOO_SHORT", "UNSPECIFIED"},
				{"email", "TYPE_EMAIL", "TYPE_EMAIL"},
				{"employees", "TYPE_NUMERIC", "TYPE_NUMERIC"},
			},
		},
	}
	for _, tt := range tests {
		for name, client := range clients {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				r := submit(t, client.library, base, client.encoding, tt.values)
				checkFailure(t, r, http.StatusUnprocessableEntity, tt.want)
				if requests := crm.Requests(); requests > 0 {
					t.Errorf("%d requests reached the CRM, want 0", requests)
				}
			})
		}
	}
}

func TestUnavailable(t *testing.T) {
	installLibraries(t)
	crm := startCRM(t)
	base := startCaddy(t, crm.URL)

	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			crm.Reset()
			crm.Inject(sandbox.Faults()[sandbox.FaultLicenseExpired])
			values := map[string]string{"name": "Asha Rao", "phone": "081234 56789"}
			r := submit(t, client.library, base, client.encoding, values)
			checkFailure(t, r, http.StatusServiceUnavailable, []fieldError{{"", "UNAVAILABLE", "UNSPECIFIED"}})
		})
	}
}

func checkFailure(t *testing.T, r report, status int, want []fieldError) {
	t.Helper()
	if r.Outcome.Kind != "error" {
		t.Fatalf("the library reports %+v, want an error", r.Outcome)
	}
	checkFailureBody(t, r.Answer, status, want)
	if r.Outcome.Body != nil {
		if diff := cmp.Diff(r.Answer.Body, r.Outcome.Body); diff != "" {
			t.Errorf("body in onError (-want +got):\n%s", diff)
		}
		if r.Outcome.Message != r.Answer.Body["message"] {
			t.Errorf("onError got the message %q, want %q", r.Outcome.Message, r.Answer.Body["message"])
		}
		return
	}
	checkSubmissionError(t, r, want)
}

func checkFailureBody(t *testing.T, got answer, status int, want []fieldError) {
	t.Helper()
	var list []any
	for i, e := range want {
		entry := map[string]any{"code": e.code, "message": messageOf(t, got.Body, i)}
		if e.field != "" {
			entry["field"] = e.field
		}
		list = append(list, entry)
	}
	message := textOf(t, got.Body, "message")
	body := map[string]any{
		"ok": false, "success": false, "code": float64(status), "status": "error",
		"error": message, "message": message, "errors": list,
	}
	if diff := cmp.Diff(answer{Status: status, Body: body}, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// checkSubmissionError checks formspree's SubmissionError.
func checkSubmissionError(t *testing.T, r report, want []fieldError) {
	t.Helper()
	var form []libraryError
	fields := make(map[string][]libraryError)
	for i, e := range want {
		passed := libraryError{Code: e.formspree, Message: messageOf(t, r.Answer.Body, i)}
		if e.field == "" {
			form = append(form, passed)
		} else {
			fields[e.field] = append(fields[e.field], passed)
		}
	}
	if diff := cmp.Diff(form, r.Outcome.FormErrors, equateEmpty); diff != "" {
		t.Errorf("getFormErrors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fields, r.Outcome.FieldErrors, equateEmpty); diff != "" {
		t.Errorf("getAllFieldErrors (-want +got):\n%s", diff)
	}
}
