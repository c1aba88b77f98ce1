package page_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"github.com/leadwire/caddy-telecrm/page"
)

// languages are the shipped languages.
var languages = []string{"en", "hi", "ta", "te", "kn", "mr", "bn", "gu", "de", "fr", "es", "ar"}

func readMessages(t *testing.T, tag string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("messages", tag+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(content, &texts); err != nil {
		t.Fatalf("%s: %v", tag, err)
	}
	return texts
}

var (
	placeholders = regexp.MustCompile(`\{[^}]*\}`)
	// scripts are the scripts of the languages' texts.
	scripts = map[string]*unicode.RangeTable{
		"en": unicode.Latin, "hi": unicode.Devanagari, "ta": unicode.Tamil, "te": unicode.Telugu, "kn": unicode.Kannada, "mr": unicode.Devanagari,
		"bn": unicode.Bengali, "gu": unicode.Gujarati, "de": unicode.Latin, "fr": unicode.Latin, "es": unicode.Latin, "ar": unicode.Arabic,
	}
	// examples are texts in Latin letters in every language.
	examples = regexp.MustCompile(`name@example\.com|https://www\.example\.com|JavaScript|\{[a-z]+\}`)
)

func TestShippedFilesAreComplete(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("messages", "*"))
	if err != nil || len(files) != len(languages) {
		t.Fatalf("%d files for %d languages (error %v)", len(files), len(languages), err)
	}
	english := readMessages(t, "en")
	for _, tag := range languages {
		t.Run(tag, func(t *testing.T) {
			texts := readMessages(t, tag)
			for key := range english {
				base, form, isPlural := strings.Cut(key, ".")
				if !isPlural && texts[base] == "" || form == "short" && texts[key] == "" {
					t.Errorf("%s is missing", key)
				}
			}
			for key, text := range texts {
				base, _, isPlural := strings.Cut(key, ".")
				model, known := english[base]
				if !known {
					t.Errorf("%s is not a key", key)
				}
				want, got := slices.Sorted(slices.Values(placeholders.FindAllString(model, -1))), slices.Sorted(slices.Values(placeholders.FindAllString(text, -1)))
				if strings.HasSuffix(key, ".short") {
					want = nil
					if n := utf8.RuneCountInString(text); n > longestShortText {
						t.Errorf("%s: %q has %d characters, want at most %d beside an input", key, text, n, longestShortText)
					}
				} else if isPlural { // "one" and "two" may spell the number out
					want, got = without(want, "{limit}"), without(got, "{limit}")
				}
				if !slices.Equal(want, got) {
					t.Errorf("%s: has the placeholders %q, want %q", key, got, want)
				}
				if n, isFault := utf8.RuneCountInString(text), slices.Contains(placeholders.FindAllString(model, -1), "{label}"); isFault && n > 80 && texts[base+".short"] == "" && !isPlural {
					t.Errorf("%s: %q has %d characters and does not have a short text", key, text, n)
				}
				if n := utf8.RuneCountInString(text); n > longestText(key) {
					t.Errorf("%s: %q has %d characters, want at most %d", key, text, n, longestText(key))
				}
				if strings.TrimSpace(text) != text || strings.Contains(text, "  ") || strings.ContainsAny(text, `"'<>&`) {
					t.Errorf("%s: %q has wrong spacing or punctuation", key, text)
				}
				if strings.ToUpper(key[:1]) == key[:1] && !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "।") {
					t.Errorf("%s: %q is not a sentence", key, text)
				}
				for _, letter := range examples.ReplaceAllString(text, "") {
					if unicode.IsLetter(letter) && !unicode.Is(scripts[tag], letter) {
						t.Errorf("%s: %q contains %q", key, text, letter)
					}
				}
			}
			if !strings.Contains(texts["CHALLENGE"], "JavaScript") {
				t.Errorf("%q does not say what the check needs", texts["CHALLENGE"])
			}
			// Dates in a format that our parser accepts.
			if !strings.Contains(texts["TYPE_DATE"], "2026-03-31") {
				t.Errorf("%q does not have an example", texts["TYPE_DATE"])
			}
		})
	}
}

// longestShortText fits into a column beside an input in two lines or three.
const longestShortText = 42

// longestText is how long a text may be, so that people read it.
func longestText(key string) int {
	switch {
	case strings.ToUpper(key[:1]) == key[:1]:
		return 230
	}
	return 60
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(list, func(of string) bool { return of == s })
}

// Texts that depend on a number have all plural forms that the language needs for a limit.
func TestPluralFormsAreComplete(t *testing.T) {
	names := map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}
	for _, tag := range languages {
		texts := readMessages(t, tag)
		needed := make(map[string]bool)
		for n := 1; n <= 1000; n++ {
			needed[names[plural.Cardinal.MatchPlural(language.Make(tag), n, 0, 0, 0, 0)]] = true
		}
		given := make(map[string][]string)
		for key := range texts {
			base, form, isPlural := strings.Cut(key, ".")
			if !isPlural || form == "short" {
				continue
			}
			if !needed[form] {
				t.Errorf("%s: %s is never used", tag, key)
			}
			given[base] = append(given[base], form)
		}
		for base, forms := range given {
			want := maps.Clone(needed)
			delete(want, "") // the text without a form
			if base == "TOO_MANY_HOURS" {
				delete(want, "one") // one hour is 60 minutes
			}
			if len(forms) != len(want) {
				t.Errorf("%s: %s has the forms %q, want %q", tag, base, forms, slices.Sorted(maps.Keys(want)))
			}
		}
	}
}

func TestCountedInArabic(t *testing.T) {
	arabic := page.Shipped().For("ar")
	for limit, want := range map[string]string{
		"1": "حرف واحد", "2": "حرفين", "3": "\u20683\u2069 أحرف", "10": "\u206810\u2069 أحرف", "11": "\u206811\u2069 حرفًا", "100": "\u2068100\u2069 حرف", "101": "\u2068101\u2069 حرف", "-0.5": "\u2068-0.5\u2069 حرف",
	} {
		got := arabic.Message(page.Fault{Code: "TOO_LONG", Label: "City", Limit: limit})
		if full := "يُرجى كتابة ما لا يزيد على " + want + " في «\u2068City\u2069»."; got != full {
			t.Errorf("%s: %q, want %q", limit, got, full)
		}
	}
}

// Every text is used, by its key or for a fault.
func TestEachTextIsUsed(t *testing.T) {
	for _, tag := range languages {
		words := page.Shipped().For(tag)
		if words.Tag() != tag {
			t.Fatalf("the words for %s have the tag %s", tag, words.Tag())
		}
		said := make(map[string]bool)
		for _, key := range []page.Key{page.Heading, page.HeadingConfirm, page.ErrorPrefix, page.Optional, page.SendAgain, page.Back, page.Thanked, page.TrapLabel} {
			said[words.Text(key)] = true
		}
		for _, code := range []string{"FORM_TOO_LARGE", "NOT_A_FORM", "MALFORMED", "UNAVAILABLE", "TOO_MANY", "CONFIRM", "FOREIGN", "CHALLENGE"} {
			said[words.FormMessage(code, page.Detail{})] = true
			said[words.FormMessage(code, page.Detail{HasFile: true})] = true
			for _, unit := range []int{1, 60, 3600} {
				for _, count := range []int{2, 3, 11, 60, 90, 100} {
					wait := time.Duration(count*unit) * time.Second
					said[isolates.Replace(words.FormMessage(code, page.Detail{Wait: wait}))] = true
				}
				said[words.FormMessage(code, page.Detail{Wait: time.Duration(unit) * time.Second})] = true
			}
		}
		for _, code := range []string{
			"REQUIRED_FIELD_EMPTY", "TYPE_EMAIL", "TYPE_PHONE", "PHONE_TOO_SHORT", "PHONE_TOO_LONG", "PHONE_SEVERAL", "PHONE_WORDS", "TYPE_NUMERIC", "TYPE_DATE", "TYPE_URL", "NOT_AN_OPTION", "PATTERN",
			"TOO_SHORT", "TOO_LONG", "TOO_SMALL", "TOO_LARGE", "REFUSED", "UNHEARD_OF",
		} {
			for _, f := range []page.Fault{{Code: code}, {Code: code, Choices: true}, {Code: code, Type: "tags"}} {
				said[words.Message(f)] = true
				said[isolates.Replace(words.SayShort(page.Fault{Code: code, Label: "City"}).String())] = true
				for _, limit := range []string{"1", "2", "3", "11", "100"} {
					f.Label, f.Limit = "{label}", limit
					said[strings.NewReplacer("\u2066", "", "\u2068", "", "\u2069", "").Replace(words.Message(f))] = true
				}
			}
		}
		for key, text := range readMessages(t, tag) {
			isSaid := false
			text = strings.NewReplacer("\u2066", "", "\u2069", "").Replace(text)
			for _, limit := range []string{"1", "2", "3", "11", "60", "90", "100", "{limit}"} {
				isSaid = isSaid || said[strings.ReplaceAll(text, "{limit}", limit)]
			}
			if !isSaid {
				t.Errorf("%s: %s is not used: %q", tag, key, text)
			}
		}
	}
}

func TestNearestLanguage(t *testing.T) {
	for _, test := range []struct {
		asked []string
		want  string
	}{
		{nil, "en"},
		{[]string{""}, "en"},
		{[]string{"hi-IN"}, "hi"},
		{[]string{"HI_in"}, "hi"},
		{[]string{" de-Latn-AT-1996 "}, "de"},
		{[]string{"en-GB", "hi"}, "en"},
		{[]string{"pt-BR", "*", "ar-EG", "en"}, "ar"},
		{[]string{"pt-BR"}, "en"},
		{[]string{"english", "-", "--", "h", "x-hi"}, "en"},
	} {
		if got := page.Shipped().For(test.asked...).Tag(); got != test.want {
			t.Errorf("%q: %s, want %s", test.asked, got, test.want)
		}
	}
}

func TestDirection(t *testing.T) {
	files := make(fstest.MapFS)
	for _, tag := range []string{"ur", "he", "fa", "pa-Arab", "pa", "pt-BR"} {
		files[tag+".json"] = &fstest.MapFile{Data: []byte("{}")}
	}
	catalog, err := page.Shipped().With(files)
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]string{"ar": "rtl", "ur": "rtl", "he": "rtl", "fa": "rtl", "pa-Arab": "rtl", "pa": "ltr", "hi": "ltr", "pt-BR": "ltr", "en": "ltr"} {
		if words := catalog.For(tag); words.Tag() != tag || words.Dir() != want {
			t.Errorf("%s: language %s, direction %s", tag, words.Tag(), words.Dir())
		}
	}
}

func TestWithOwnMessages(t *testing.T) {
	catalog, err := page.Shipped().With(fstest.MapFS{
		"hi.json":    {Data: []byte(`{"REQUIRED": "{label} लिखिए।", "TOO_LARGE": "{label}: {limit}।"}`)},
		"en.json":    {Data: []byte("\uFEFF" + `{"thanks": "Cheers.", "TOO_LONG": "{label}: {limit} at most.", "TOO_LARGE": "{label} is too large."}`)},
		"pt-BR.json": {Data: []byte(`{"heading": "Há um problema", "TOO_SHORT.one": "Só {limit} em {label}?"}`)},
		"de-AT.json": {Data: []byte(`{"heading": "Es gibt ein Malheur"}`)},
		"de.json":    {Data: []byte(`{"back": "Retour"}`)},
		"README.txt": {Data: []byte(`not a message file`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	empty := page.Fault{Code: "REQUIRED_FIELD_EMPTY", Label: "{label}{limit}{x}"}
	long := page.Fault{Code: "TOO_LONG", Label: "City", Limit: "1"}
	short := page.Fault{Code: "TOO_SHORT", Label: "City", Limit: "1"}
	for _, test := range []struct{ got, want string }{
		{catalog.For("hi-IN").Message(empty), "{label}{limit}{x} लिखिए।"},
		{catalog.For("hi").Text(page.Heading), "एक समस्या है"},
		{catalog.For("en-GB").Thanks(), "Cheers."},
		{catalog.For("en").Message(long), "City: 1 at most."},
		{catalog.For("en").Message(short), "Enter at least 1 character in “City”."},
		{catalog.For("pt-BR").Text(page.Heading), "Há um problema"},
		{catalog.For("pt-BR").Message(short), "Só 1 em City?"},
		{catalog.For("pt-BR").Thanks(), "Cheers."},
		{catalog.For("pt").Text(page.Heading), "There is a problem"},
		{catalog.For("de-AT").Text(page.Heading), "Es gibt ein Malheur"},
		{catalog.For("de-AT").Text(page.Back), "Retour"},
		{catalog.For("de-AT").Text(page.SendAgain), "Noch einmal senden"},
		{catalog.For("de-CH").Text(page.Heading), "Es gibt ein Problem"},
		{english.Thanks(), "Thank you. We have received your message."},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
	thanks := catalog.For("pt-BR").Say(page.Thanked)
	if !thanks.Foreign || thanks.Lang != "en" || thanks.Dir != "ltr" || catalog.For("de-AT").Say(page.Back).Foreign {
		t.Errorf("the untranslated text is %+v", thanks)
	}
}

func TestWithInvalidMessages(t *testing.T) {
	for _, test := range []struct {
		name, content string
		want          []string
	}{
		{"hi.json", `{`, []string{"hi.json: ", "JSON"}},
		{"hi.json", `["a"]`, []string{"hi.json: ", "JSON object"}},
		{"hi.json", `{"REQUIRED": ""}`, []string{"hi.json: ", `"REQUIRED"`, "no text"}},
		{"hi.json", `{"REQUIRED": " \n"}`, []string{`"REQUIRED"`, "no text"}},
		{"hi.json", `{"REQUIRED": null}`, []string{`"REQUIRED"`, "no text"}},
		{"hi.json", `{"REQUIRED": {"one": "x"}}`, []string{`"REQUIRED"`, "no text"}},
		{"hi.json", `{"REQUIERD": "x"}`, []string{"hi.json: ", `"REQUIERD"`, "unknown key", "REQUIRED, REQUIRED_CHOICE", "trap_label"}},
		{"hi.json", `{"REQUIRED.one": "x"}`, []string{`"REQUIRED.one"`, "unknown key"}},
		{"hi.json", `{"TOO_LONG.some": "x"}`, []string{`"TOO_LONG.some"`, "zero, one, two, few or many"}},
		{"hi.json", `{"REQUIRED": "{labl}"}`, []string{`"REQUIRED"`, "{labl}", "{label}"}},
		{"hi.json", `{"REQUIRED": "{limit}"}`, []string{`"REQUIRED"`, "{limit}", "may contain {label}"}},
		{"hi.json", `{"TOO_LONG.one": "{n}"}`, []string{`"TOO_LONG.one"`, "{n}", "{label}, {limit}"}},
		{"hi.json", `{"thanks": "{env.HOME}"}`, []string{`"thanks"`, "{env.HOME}", "does not have placeholders"}},
		{"hi.json", `{"REQUIRED": "{label"}`, []string{`"REQUIRED"`, "brace"}},
		{"hi.json", "{\"REQUIRED\": \"\xff\"}", []string{"hi.json: ", "UTF-8"}},
		{"hindi-words-of-ours.json", `{}`, []string{"hindi-words-of-ours.json: ", "language", "hi"}},
		{"und.json", `{}`, []string{"und.json: ", "language"}},
		{".json", `{}`, []string{".json: ", "language"}},
		{"hi.txt", `{}`, []string{"no message file", "hi.json"}},
	} {
		_, err := page.Shipped().With(fstest.MapFS{test.name: {Data: []byte(test.content)}})
		for _, part := range test.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s with %s: error %v, want one with %q", test.name, test.content, err, part)
			}
		}
	}
	_, err := page.Shipped().With(fstest.MapFS{"pt-br.json": {Data: []byte("{}")}, "pt-BR.json": {Data: []byte("{}")}})
	if err == nil || !strings.Contains(err.Error(), "the same language") {
		t.Errorf("two files for one language: error %v", err)
	}
	if _, err := page.Shipped().With(os.DirFS(filepath.Join(t.TempDir(), "none"))); err == nil {
		t.Error("a missing folder: no error")
	}
}

// FuzzLabels inserts any label and limit into the texts of every language. They must come back
// unchanged, without being parsed for placeholders.
func FuzzLabels(f *testing.F) {
	for _, label := range append(slices.Clone(hostile), "{label}", "{limit}", "{{label}}", "{", "}", "{env.HOME}", "%s", "\u2069", "\u202e", "اسم", "नाम", "$1") {
		f.Add(label, "12")
		f.Add("City", label)
	}
	texts := make(map[string]string)
	for _, tag := range languages {
		content, err := os.ReadFile(filepath.Join("messages", tag+".json"))
		if err != nil {
			f.Fatal(err)
		}
		var file map[string]string
		if err := json.Unmarshal(content, &file); err != nil {
			f.Fatal(err)
		}
		texts[tag] = file["TOO_SMALL"]
	}
	plain := strings.NewReplacer("\u2068", "", "\u2069", "")
	f.Fuzz(func(t *testing.T, label, limit string) {
		if label == "" {
			return
		}
		for tag, text := range texts {
			values := map[string]string{"{label}": label, "{limit}": limit}
			want := placeholders.ReplaceAllStringFunc(text, func(name string) string { return values[name] })
			phrase := page.Shipped().For(tag).SayFault(page.Fault{Code: "TOO_SMALL", Label: label, Limit: limit})
			if got := words(phrase); got != want {
				t.Fatalf("%s: %q, want %q", tag, got, want)
			}
			if got := phrase.String(); plain.Replace(got) != plain.Replace(want) {
				t.Fatalf("%s: as text %q, want %q", tag, got, want)
			}
		}
	})
}
