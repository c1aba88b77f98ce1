package page_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/page"
)

// isolates removes the characters that isolate values in texts of both directions.
var isolates = strings.NewReplacer("\u2066", "", "\u2068", "", "\u2069", "")

var english = page.Shipped().For("en")

// jargon must not appear in texts for visitors: codes, placeholders and technical terms.
var jargon = regexp.MustCompile(`[A-Z]{2,}|[_{}<>%]|(?i)\b(crm|regexp?|pattern|field|input|option|type|null|invalid|server|error code|status)s?\b`)

func checkPlain(t *testing.T, words string) {
	t.Helper()
	first, _ := utf8.DecodeRuneInString(words)
	if !unicode.IsUpper(first) || !strings.HasSuffix(words, ".") || strings.TrimSpace(words) != words || strings.Contains(words, "  ") {
		t.Errorf("%q is not a sentence", words)
	}
	if found := jargon.FindString(words); found != "" {
		t.Errorf("%q contains jargon: %q", words, found)
	}
}

// faults are the faults that can have each code.
func faults(code fieldtype.Code) []page.Fault {
	typed := page.Fault{Code: string(code), Type: string(fieldtype.Text), Label: "Your city"}
	if strings.HasPrefix(typed.Code, "TOO_") {
		typed.Limit = "12.5"
	}
	chosen := typed
	chosen.Choices = true
	tagged := typed
	tagged.Type = string(fieldtype.Tags)
	return []page.Fault{typed, chosen, tagged}
}

func TestEachCodeHasItsOwnPlainWords(t *testing.T) {
	said := map[string]fieldtype.Code{english.Message(page.Fault{Code: "UNHEARD_OF", Label: "Your city"}): "an unknown code"}
	for _, code := range fieldtype.Codes() {
		for _, fault := range faults(code) {
			words := english.Message(fault)
			checkPlain(t, words)
			if strings.Count(words, "“Your city”") != 1 {
				t.Errorf("%s: %q does not name the field once", code, words)
			}
			if !strings.Contains(words, fault.Limit) {
				t.Errorf("%s: %q does not name the limit %s", code, words, fault.Limit)
			}
			// Missing and blank values get the same text.
			if code == fieldtype.RequiredEmpty {
				code = fieldtype.RequiredMissing
			}
			if other, known := said[words]; known && other != code {
				t.Errorf("%q is the text for %s and for %s", words, code, other)
			}
			said[words] = code
		}
	}
}

func TestMessage(t *testing.T) {
	for _, test := range []struct {
		fault page.Fault
		want  string
	}{
		{page.Fault{Code: "TOO_SHORT", Type: "text", Label: "City", Limit: "1"}, "Enter at least 1 character in “City”."},
		{page.Fault{Code: "TOO_SHORT", Type: "text", Label: "City", Limit: "2"}, "Enter at least 2 characters in “City”."},
		{page.Fault{Code: "TOO_SHORT", Type: "text", Label: "City", Limit: "11"}, "Enter at least 11 characters in “City”."},
		{page.Fault{Code: "TOO_SHORT", Type: "tags", Label: "Topics", Limit: "1"}, "Choose at least 1 answer for “Topics”."},
		{page.Fault{Code: "TOO_SHORT", Type: "tags", Label: "Topics", Limit: "3"}, "Choose at least 3 answers for “Topics”."},
		{page.Fault{Code: "TOO_LONG", Type: "text", Label: "City", Limit: "1"}, "Enter at most 1 character in “City”."},
		{page.Fault{Code: "TOO_LONG", Type: "text", Label: "City", Limit: "100"}, "Enter at most 100 characters in “City”."},
		{page.Fault{Code: "TOO_LONG", Type: "tags", Label: "Topics", Limit: "1"}, "Choose at most 1 answer for “Topics”."},
		{page.Fault{Code: "TOO_LONG", Type: "tags", Label: "Topics", Limit: "10"}, "Choose at most 10 answers for “Topics”."},
		{page.Fault{Code: "TOO_SMALL", Type: "number", Label: "Seats", Limit: "1"}, "Enter 1 or more in “Seats”."},
		{page.Fault{Code: "TOO_LARGE", Type: "number", Label: "Seats", Limit: "-0.5"}, "Enter -0.5 or less in “Seats”."},

		{page.Fault{Code: "REQUIRED_FIELD_EMPTY", Label: "City"}, "Fill in “City”."},
		{page.Fault{Code: "REQUIRED_FIELD_EMPTY", Label: "City", Choices: true}, "Choose an answer for “City”."},
		{page.Fault{Code: "UNHEARD_OF", Label: "City"}, "Check “City”."},
		{page.Fault{Label: "City"}, "Check “City”."},
		{page.Fault{}, "Check your answers, then send the form again."},
		{page.Fault{Code: "REQUIRED_FIELD_MISSING"}, "Check your answers, then send the form again."},

		// A label is always plain text.
		{page.Fault{Code: "TOO_LONG", Type: "text", Label: "100% <b>%d", Limit: "9"}, "Enter at most 9 characters in “100% <b>%d”."},
		{page.Fault{Code: "TYPE_URL", Label: "“Site”\n"}, "Enter a web address in ““Site”\n”, like https://www.example.com."},
	} {
		if got := english.Message(test.fault); got != test.want {
			t.Errorf("Message(%+v) = %q, want %q", test.fault, got, test.want)
		}
	}
}

func TestMessageWithoutALabel(t *testing.T) {
	for _, code := range fieldtype.Codes() {
		for _, fault := range faults(code) {
			fault.Label = ""
			words := english.Message(fault)
			checkPlain(t, words)
			if strings.ContainsAny(words, "“”") {
				t.Errorf("%s: %q", code, words)
			}
		}
	}
}

// The texts for the whole form say what to do. The text for unknown errors apologizes.
func TestFormMessage(t *testing.T) {
	sorry := english.FormMessage("UNAVAILABLE", page.Detail{})
	checkPlain(t, sorry)
	if !strings.HasPrefix(sorry, "Sorry") {
		t.Errorf("%q does not apologize", sorry)
	}
	for _, code := range []string{"", "UNHEARD_OF"} {
		if got := english.FormMessage(code, page.Detail{}); got != sorry {
			t.Errorf("FormMessage(%q) = %q, want %q", code, got, sorry)
		}
	}
	said := map[string]bool{sorry: true}
	for _, code := range []string{"FORM_TOO_LARGE", "NOT_A_FORM", "MALFORMED", "TOO_MANY", "CONFIRM", "FOREIGN", "CHALLENGE"} {
		words := english.FormMessage(code, page.Detail{})
		checkPlain(t, words)
		if said[words] {
			t.Errorf("FormMessage(%q) has the text of another code: %q", code, words)
		}
		if !strings.Contains(words, "send it") {
			t.Errorf("FormMessage(%q) = %q does not say what to do", code, words)
		}
		said[words] = true
	}
	checkPlain(t, english.Thanks())
}

// Visitors read how long to wait in a unit in which it is a small number, and never too short.
func TestMessageSaysHowLongToWait(t *testing.T) {
	for _, test := range []struct {
		language string
		wait     time.Duration
		want     string
	}{
		{"en", 0, "Please wait a few minutes,"},
		{"en", time.Second, "Please wait 1 second,"},
		{"en", 58500 * time.Millisecond, "Please wait 59 seconds,"},
		{"en", 59500 * time.Millisecond, "Please wait 1 minute,"},
		{"en", 61 * time.Second, "Please wait 2 minutes,"},
		{"en", 10 * time.Minute, "Please wait 10 minutes,"},
		{"en", 90 * time.Minute, "Please wait 90 minutes,"},
		{"en", 91 * time.Minute, "Please wait 2 hours,"},
		{"hi", 5 * time.Minute, "कृपया 5 मिनट रुकें,"},
		{"ta", time.Second, "1 விநாடி காத்திருந்து,"},
		{"mr", 5 * time.Minute, "कृपया 5 मिनिटे थांबा"},
		{"de", 24 * time.Hour, "Bitte warten Sie 24 Stunden und"},
		{"fr", time.Second, "Veuillez attendre 1 seconde,"},
		{"ar", time.Minute, "دقيقة واحدة"},
		{"ar", 2 * time.Minute, "دقيقتين"},
		{"ar", 3 * time.Minute, "3 دقائق"},
		{"ar", 11 * time.Minute, "11 دقيقة"},
	} {
		got := page.Shipped().For(test.language).FormMessage("TOO_MANY", page.Detail{Wait: test.wait})
		if !strings.Contains(isolates.Replace(got), test.want) {
			t.Errorf("%s, %s: %q does not contain %q", test.language, test.wait, got, test.want)
		}
	}
}

// A file is mentioned only where one was sent.
func TestMessageMentionsAFile(t *testing.T) {
	without := english.FormMessage("FORM_TOO_LARGE", page.Detail{})
	with := english.FormMessage("FORM_TOO_LARGE", page.Detail{HasFile: true})
	if strings.Contains(without, "file") || !strings.Contains(with, "leave the file out") {
		t.Errorf("without a file: %q; with one: %q", without, with)
	}
}
