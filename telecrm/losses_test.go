package telecrm_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// A value is hidden however a remark quotes it. Other text stays.
func TestLossesHideValues(t *testing.T) {
	long := strings.Repeat("Please call me in the evening. ", 20)
	lead := telecrm.Lead{
		Fields: map[string]any{
			"name": "Meera  Iyer", "phone": "918123456789", "email": "meera.i@example.com", "city": "Ørsted & Söhne",
			"budget": json.Number("4500000"), "tags": []string{"two bedrooms", "Kothrud"}, "initials": "M.I.",
		},
		Actions: []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": long + "\nSecond line of it"}}},
	}
	for text, want := range map[string]string{
		"Rating must be between 1 and 5":                         "Rating must be between 1 and 5",
		"Meera  Iyer is invalid":                                 "[value] is invalid",
		"meera iyer is invalid":                                  "[value] is invalid",
		"Meera\tIyer, MEERA\nIYER":                               "[value], [value]",
		"name \"Meera\\n Iyer\"":                                 "name \"[value]\"",
		"Meera%20%20Iyer and Meera+Iyer":                         "[value] and [value]",
		long + "is too long":                                     "[value]. is too long",
		strings.Repeat("x ", 140) + long:                         strings.Repeat("x ", 140) + "[value].",
		"begins with 'call me in the ev'":                        "begins with '[value]'",
		"+91 81234-56789 exists":                                 "+[value] exists",
		"08123 456789 exists":                                    "0[value] exists",
		"meera.i is taken; MEERA.I&#64;EXAMPLE.COM":              "[value] is taken; [value]",
		"Ørsted &amp; Söhne, ørsted \\u0026 so\u0308hne, orsted": "[value], [value], orsted",
		"4500000 and 45,00,000":                                  "[value] and [value]",
		"not an option: Kothrud":                                 "not an option: [value]",
		"m.i. is short":                                          "[value] is short",
		"second line of it":                                      "[value]",
	} {
		answer := telecrm.Answer{
			Verdict: telecrm.Created,
			Remarks: []telecrm.Remark{{Field: text, Status: text, Text: text}},
			Actions: []telecrm.ActionResult{{Status: text}, {Status: "CREATED"}},
		}
		got := answer.Losses(lead)
		if len(got) != 2 {
			t.Fatalf("losses %v", got)
		}
		for _, text := range []string{got[0].Field, got[0].Status, got[0].Text, got[1].Status} {
			if text != want {
				t.Errorf("logged as %q, want %q", text, want)
			}
		}
		if got[1].Field != "actions[0]" {
			t.Errorf("field %q", got[1].Field)
		}
	}
}

// No part of a value with 12 consecutive letters and digits remains, wherever a remark cuts it.
func TestLossesHideEveryLongPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[a-zäß0-9 .,&+-]{3,400}`).Draw(t, "value")
		from := rapid.IntRange(0, len(value)-1).Draw(t, "from")
		part := value[from:rapid.IntRange(from, len(value)).Draw(t, "to")]
		text := rapid.StringMatching(`[A-Z ]{0,320}`).Draw(t, "before") + strings.ToUpper(part) + rapid.StringMatching(`[A-Z ]{0,20}`).Draw(t, "after")
		answer := telecrm.Answer{Remarks: []telecrm.Remark{{Text: text}}}
		got := answer.Losses(telecrm.Lead{Fields: map[string]any{"note": value}})[0].Text
		if utf8.RuneCountInString(got) > 301 {
			t.Errorf("%d characters are logged", utf8.RuneCountInString(got))
		}
		letters := lettersOf(got)
		for _, run := range parts(lettersOf(value), 12) {
			if strings.Contains(letters, run) {
				t.Errorf("%q of %q remains in %q", run, value, got)
			}
		}
	})
}

func lettersOf(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .,&+-", r) {
			return -1
		}
		return r
	}, strings.ToLower(text))
}

func parts(text string, n int) []string {
	runes := []rune(text)
	var list []string
	for i := 0; i+n <= len(runes); i++ {
		list = append(list, string(runes[i:i+n]))
	}
	return list
}

// Codes and ids that quote the lead are dropped, because both are logged.
func TestAnswersThatQuoteInCodes(t *testing.T) {
	for _, test := range []struct {
		name         string
		status       int
		body         string
		code, leadID string
	}{
		{"a name as the code", 400, `{"error":{"code":"RAVI_MENON","message":"x"}}`, "", ""},
		{"a phone in the code", 400, `{"error":{"code":"PHONE_918123456789","message":"x"}}`, "", ""},
		{"a known code", 400, `{"error":{"code":"INVALID_LEAD","message":"x"}}`, "INVALID_LEAD", ""},
		{"another code", 400, `{"error":{"code":"QUOTA_EXCEEDED","message":"x"}}`, "QUOTA_EXCEEDED", ""},
		{"a phone as the id", 201, `{"lead_id":"918123456789"}`, "", ""},
		{"an id", 201, `{"lead_id":"64c1f0aa12bb34cc56dd78ee"}`, "", "64c1f0aa12bb34cc56dd78ee"},
	} {
		client := newClient(t, telecrm.Config{Transport: transport(func(req *http.Request) (*http.Response, error) {
			return respond(req, test.status, nil, test.body), nil
		})})
		lead := telecrm.Lead{Fields: map[string]any{"name": "Ravi Menon", "phone": "918123456789", "message": "invalid lead"}}
		got := client.CreateLead(t.Context(), lead)
		if got.Code != test.code || got.LeadID != test.leadID {
			t.Errorf("%s: code %q and id %q, want %q and %q", test.name, got.Code, got.LeadID, test.code, test.leadID)
		}
	}
}
